// What the resolving steps share: where problems go, and which parts of the file are already known to be wrong, so that nobody is told
// twice or told what follows from it.
import { show, suggest } from './issues.ts';
import type { Path, Problem } from './issues.ts';
import { nearest } from './nearest.ts';

export class Context {
  readonly problems: Problem[] = [];
  private readonly removed: readonly Path[];

  constructor(removed: readonly Path[]) {
    this.removed = removed;
  }

  /** Parts of the file are missing here: what is absent, or follows from defaults, cannot be judged. */
  get partial(): boolean {
    return this.removed.length > 0;
  }

  /** Something wrong at `path`. */
  report(path: Path, message: string, hint?: string, key = false): undefined {
    this.problems.push({ path, message, key, ...(hint === undefined ? {} : { hint }) });
    return undefined;
  }

  /** Something that is wrong only if the whole file has been understood. */
  absent(path: Path, message: string, hint?: string, key = false): undefined {
    return this.partial ? undefined : this.report(path, message, hint, key);
  }

  /** Whether something was already wrong under one of these keys, at any depth. */
  wrong(...keys: readonly string[]): boolean {
    return this.problems.some(({ path }) => path.some((part) => keys.includes(String(part))));
  }

  /** Something that follows from who is plugged in where, so it is told only when nothing was wrong with that. */
  follows(path: Path, message: string, hint?: string, key = false): undefined {
    return this.wrong('segments', 'interfaces') ? undefined : this.absent(path, message, hint, key);
  }

  /** The thing of this name, or a report with the nearest name. `home` is where such things are declared. */
  find<Thing>(
    things: ReadonlyMap<string, Thing>,
    name: string,
    path: Path,
    kind: string,
    home: Path,
  ): Thing | undefined {
    const found = things.get(name);
    if (found !== undefined) return found;
    const known = this.removed.some(
      (gone) =>
        gone.length <= home.length + 1 && [...home, name].every((part, at) => (gone[at] ?? part) === part),
    );
    if (known) return undefined;
    const names = [...things.keys()];
    return this.report(
      path,
      `no ${kind} of this name (got ${show(name)})`,
      suggest(nearest(name, names), names),
    );
  }
}
