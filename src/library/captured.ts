// Evidence as programs use it: what each capture point saw, by name.
import type { CapturedPoint, Evidence } from '../verify/types.ts';

/** What a round of captures saw. */
export interface Captured extends Evidence {
  /** What a capture point saw. Throws RangeError that lists the points when there is none of that name. */
  at(point: string): CapturedPoint;
  /** Leaves the captures and logs in a folder, as `lblab run` does; until the lab's next capture or its end. */
  save(folder: string): Promise<void>;
  /** Set when the sandbox ended during the round: what happened. The captures are then not whole. */
  readonly broken?: string;
}

export function captured(
  evidence: Evidence,
  { broken, save }: { readonly broken?: string; readonly save: (folder: string) => Promise<void> },
): Captured {
  return {
    ...evidence,
    ...(broken !== undefined && { broken }),
    at: (name) => pointOf(evidence, name),
    save,
  };
}

/** A capture point of the evidence by its name. Throws RangeError. */
export function pointOf({ captures }: Evidence, name: string): CapturedPoint {
  const point = captures.get(name);
  if (point !== undefined) return point;
  throw new RangeError(
    `there is no capture ${JSON.stringify(name)}; there are ${[...captures.keys()].join(', ')}`,
  );
}
