// Completion of the command line for bash and zsh, made from the table of flags: `tracelith completion bash`.
import { StoreError } from './errors.ts';
import type { FlagRow } from './flag-row.ts';

export const SHELLS = ['bash', 'zsh'] as const;
export type Shell = (typeof SHELLS)[number];

export interface CompletedProgram {
  readonly flags: readonly Pick<FlagRow, 'name' | 'unit' | 'meaning' | 'isBoolean'>[];
  /** Words that may be the first argument. */
  readonly commands: readonly string[];
}

/** Throws CONFIG for another shell. */
export function completionFor(shell: string | undefined, program: CompletedProgram): string {
  if (shell === 'bash') return bashCompletion(program);
  if (shell === 'zsh') return zshCompletion(program);
  throw new StoreError(
    'CONFIG',
    `completion: expected ${SHELLS.join(' or ')}, for example: source <(tracelith completion bash)`,
  );
}

/** Flags whose value is one of a few words. */
function choicesOf({ unit, isBoolean }: Pick<FlagRow, 'unit' | 'isBoolean'>): readonly string[] {
  if (isBoolean) return ['true', 'false'];
  const words = unit.split(' or ');
  return words.length > 1 && words.every((word) => /^\w+$/.test(word)) ? words : [];
}

const isPath = ({ unit, name }: Pick<FlagRow, 'unit' | 'name'>): boolean =>
  unit === 'path' || /(^config|\.dir|\.config)$/.test(name);

function bashCompletion({ flags, commands }: CompletedProgram): string {
  const names = flags.map((flag) => (flag.isBoolean ? `-${flag.name}` : `-${flag.name}=`));
  const cases = flags
    .filter((flag) => choicesOf(flag).length > 0)
    .map(
      (flag) => `    -${flag.name}) COMPREPLY=($(compgen -W '${choicesOf(flag).join(' ')}' -- "$value")); return ;;`,
    );
  const paths = flags.filter(isPath).map((flag) => `-${flag.name}`);
  return `# bash completion of tracelith: source <(tracelith completion bash)
_tracelith() {
  local line word name value
  # bash cuts words at "=", so the word under the cursor is taken from the line.
  line=\${COMP_LINE:0:COMP_POINT}
  word=\${line##* }
  word=\${word/#--/-}
  name=\${word%%=*} value=\${word#*=}
  COMPREPLY=()
  if [ "$name" != "$word" ]; then
    case $name in
${cases.join('\n')}
    ${paths.join('|')}) compopt -o filenames; COMPREPLY=($(compgen -f -- "$value")); return ;;
    esac
    return
  fi
  case $word in
  -*) compopt -o nospace; COMPREPLY=($(compgen -W '${names.join(' ')}' -- "$word")) ;;
  *) [ "$COMP_CWORD" -eq 1 ] && COMPREPLY=($(compgen -W '${commands.join(' ')}' -- "$word")) ;;
  esac
}
complete -F _tracelith tracelith
`;
}

function zshCompletion({ flags, commands }: CompletedProgram): string {
  const lines = flags.map((flag) => {
    const meaning = flag.meaning.replace(/[`'[\]\\:]/g, '').slice(0, 100);
    const choices = choicesOf(flag);
    const values = isPath(flag) ? '_files' : choices.length > 0 ? `(${choices.join(' ')})` : ' ';
    const unit = flag.unit.replace(/[':]/g, '');
    return flag.isBoolean ? `  '-${flag.name}[${meaning}]' \\` : `  '-${flag.name}=[${meaning}]:${unit}:${values}' \\`;
  });
  return `#compdef tracelith
# zsh completion of tracelith: tracelith completion zsh > "\${fpath[1]}/_tracelith"
_arguments \\
${lines.join('\n')}
  '1::command:(${commands.join(' ')})' \\
  '*:folder:_files'
`;
}
