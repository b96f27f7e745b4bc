// A name that a client sent: isolated from the text around it, cut where it is long, quoted where it would not be seen.

/** A longer name is cut; its whole text shows when a mouse rests on it. */
const CHARS_MAX = 120;

export function Name({ text, kind }: { readonly text: string; readonly kind?: string }) {
  const seen = text.trim() === '' ? JSON.stringify(text) : text;
  if (seen.length <= CHARS_MAX) return <bdi class={kind}>{seen}</bdi>;
  return (
    <bdi class={kind} title={text}>
      {seen.slice(0, CHARS_MAX)}…
    </bdi>
  );
}
