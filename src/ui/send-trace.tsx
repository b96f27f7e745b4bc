// How to send a trace: three ways, each to be copied whole.
import { useState } from 'preact/hooks';
import type { HomeStatus } from './home-status.ts';
import { samplesOf, type Sample, type SpanIds } from './samples.ts';

const hexOf = (bytes: number): string =>
  [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** Fresh ones for each visit, so that what is sent is a new trace. */
const ids: SpanIds = { traceId: hexOf(16), spanId: hexOf(8) };

export function SendTrace({ status, isOpen }: { status: HomeStatus; isOpen: boolean }) {
  const { otlpHttp, otlpGrpc } = status.addresses;
  const samples = samplesOf({ mount: new URL('./', document.baseURI).href, otlpHttp, otlpGrpc }, ids);
  const [chosen, setChosen] = useState(samples[0]!.name);
  const sample = samples.find(({ name }) => name === chosen)!;
  return (
    <details class="send" open={isOpen}>
      <summary>
        <h2>Send a trace</h2>
      </summary>
      <fieldset>
        <legend class="hidden">With</legend>
        {samples.map(({ name }) => (
          <label key={name}>
            <input type="radio" name="sample" checked={name === chosen} onChange={() => setChosen(name)} />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
      <Copyable sample={sample} />
    </details>
  );
}

function Copyable({ sample }: { sample: Sample }) {
  const [copied, setCopied] = useState('');
  const copy = async (): Promise<void> => {
    // Browsers lend the clipboard only to pages over TLS or from this machine.
    const isCopied = await navigator.clipboard?.writeText(sample.text).then(
      () => true,
      () => false,
    );
    setCopied(isCopied === true ? 'copied' : 'select the text and copy it');
  };
  return (
    <>
      <p>{sample.hint}</p>
      <div class="copyable">
        <pre tabIndex={0} aria-label={`${sample.name}: text to copy`}>
          {sample.text}
        </pre>
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
        <span role="status" class="quiet">
          {copied}
        </span>
      </div>
    </>
  );
}
