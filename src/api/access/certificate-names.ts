// The subject alternative names of a client's certificate, which identify it (mTLS). The common name does not count: it has no kind,
// and a certificate made for another purpose may carry any.
import type { PeerCertificate } from 'node:tls';

/** `DNS:a`, `URI:b`, `IP Address:c`, `email:d`. Names in a form that Node quotes, because they hold separators, are left out. */
export function certificateNames({ subjectaltname = '' }: Pick<PeerCertificate, 'subjectaltname'>): string[] {
  // A quoted value may contain ", DNS:admin", so quotes are taken out before the text is cut.
  return subjectaltname
    .replace(/"(?:[^"\\]|\\.)*"/g, '"')
    .split(', ')
    .filter((name) => name !== '' && !name.includes('"'));
}
