// The `late` profile: the shop as a store sees it on a bad day. Spans arrive late (1 % over 30 s, 0.1 % over 10 min, 0.01 % over
// an hour), 0.1 % arrive twice because an exporter retried, every process's clock is off by up to 50 ms, and 0.01 % of the
// traces come from a process whose clock is hours wrong. Figures: field studies of production traffic.
import type { GeneratedSpan, Profile } from './model.ts';
import type { Rng } from './rng.ts';
import { shopProfile } from './shop.ts';

const second = 1e9;
const hour = 3600 * second;

export const lateShares = { over30s: 0.01, over10min: 0.001, over1h: 0.0001, duplicate: 0.001, wildClock: 0.0001 };

// Short of one day and a half, so that a wild clock stays within the usual retention and future bounds.
const wildClockNsMax = 36 * hour;

export function lateProfile(rng: Rng, instances: number): Profile {
  const shop = shopProfile(rng, instances);
  return {
    resources: shop.resources,
    trace(startNs: number, spansLeft: number): GeneratedSpan[] {
      const spans = shop.trace(startNs, spansLeft);
      const wildNs = rng.chance(lateShares.wildClock) ? wildClockOffset(rng) : 0;
      const wildResource = rng.pick(spans).resource;
      for (const span of spans) {
        const skewNs = shop.resources[span.resource]?.clockSkewNs ?? 0;
        shiftTimes(span, skewNs + (span.resource === wildResource ? wildNs : 0));
        span.sendNs += delayNs(rng);
      }
      const duplicates = spans.filter(() => rng.chance(lateShares.duplicate));
      return [
        ...spans,
        ...duplicates.map((span) => ({ ...span, sendNs: span.sendNs + second + rng.int(30 * second) })),
      ];
    },
  };
}

// The clock that is wrong stamps the span; the network that carries it is not wrong, so sendNs stays.
function shiftTimes(span: GeneratedSpan, offsetNs: number): void {
  span.startNs += offsetNs;
  span.endNs += offsetNs;
  for (const event of span.events) event.timeNs += offsetNs;
}

function wildClockOffset(rng: Rng): number {
  const size = rng.logUniform(hour, wildClockNsMax);
  return rng.chance(0.5) ? size : -size;
}

function delayNs(rng: Rng): number {
  const draw = rng.float();
  if (draw < lateShares.over1h) return rng.logUniform(hour, 6 * hour);
  if (draw < lateShares.over10min) return rng.logUniform(600 * second, hour);
  if (draw < lateShares.over30s) return rng.logUniform(30 * second, 600 * second);
  return 0;
}
