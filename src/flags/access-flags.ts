// Flags of access: who may log in. What each may is in the file of -auth.config.
import { flag } from '../base/flag-row.ts';
import { boolean, text } from '../base/flag-value.ts';

export const accessFlags = {
  authConfigPath: flag('access', 'auth.config', text, {
    default: '',
    meaning:
      'File that says who may log in and what they may: tokens, users, certificates and OpenID issuers (JSON, docs/operations/access.md). Read again when it changes. Empty: none.',
    reason: 'As in vmauth: one file, which is replaced as a whole.',
    example: '-auth.config=/etc/tracelith/auth.json',
  }),
  httpAuthUsername: flag('access', 'httpAuth.username', text, {
    default: '',
    meaning: 'Name of a user with -httpAuth.password, who may everything.',
    reason: 'As in VictoriaMetrics.',
    example: '-httpAuth.username=ann',
  }),
  httpAuthPassword: flag('access', 'httpAuth.password', text, {
    default: '',
    meaning: 'Password of -httpAuth.username, over HTTP and gRPC. Empty: there is no such user.',
    reason: 'As in VictoriaMetrics; read it from a file with file:///path.',
    example: '-httpAuth.password=3f9c1e',
    isSecret: true,
  }),
  isInsecure: flag('access', 'insecure', boolean, {
    default: 'false',
    meaning: 'Start on an address that other machines reach although nobody has to log in.',
    reason: 'Whoever opens the traces of a company to its network should have meant to.',
    example: '-insecure',
  }),
} as const;
