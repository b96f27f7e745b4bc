// Text with the statistics that matter to a compressor: a few hundred words, common ones far more often, sentences, numbers.
// Real prompts compress about three to four times with zstd; so does this.
import type { Rng } from './rng.ts';

const syllables =
  'ba be bo ca ce co da de di fa fe ga go ha he in is ka ke la le li lo ma me mi mo na ne no on or pa pe po ra re ri ro sa se si so ta te ti to un va ve vi wa we'.split(
    ' ',
  );

// Words are made once from syllables by a fixed rule, so that no natural text has to be carried along.
const words: readonly string[] = Array.from({ length: 1200 }, (_, i) => {
  const count = 1 + (i % 4);
  let word = '';
  for (let j = 0, rest = Math.imul(i + 1, 2654435761) >>> 0; j < count; j++) {
    word += syllables[rest % syllables.length] ?? '';
    rest = Math.floor(rest / syllables.length);
  }
  return word;
});

/** About `size` characters of sentences, never more. */
export function sentences(rng: Rng, size: number): string {
  let text = '';
  while (text.length < size) text += sentence(rng);
  return text.slice(0, size);
}

function sentence(rng: Rng): string {
  const length = 4 + rng.int(16);
  const out: string[] = [];
  for (let i = 0; i < length; i++)
    out.push(rng.chance(0.03) ? String(rng.int(100_000)) : (words[rng.zipf(words.length)] ?? ''));
  const text = out.join(' ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}. `;
}
