// What an answer lacks, in the node's own words: nothing is left out in silence.

export function Warnings({ text }: { readonly text: string }) {
  if (text === '') return null;
  return (
    <p class="banner" role="status">
      The node warns: {text}
    </p>
  );
}
