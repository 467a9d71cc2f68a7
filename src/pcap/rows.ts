// Twins in the making: which sights are of one packet.
import { groupBy } from './groups.ts';
import type { Row, Sight } from './sight.ts';

export class Rows {
  readonly #rows = new Set<Row>();

  /** Joins these places, and those they were joined with before. */
  add(places: Row): void {
    if (places.every((place) => place.every(isLoose))) {
      this.#put(places);
      return;
    }
    const sights = new Set(places.flat());
    for (const { row } of [...sights]) {
      if (row === undefined || !this.#rows.delete(row)) continue;
      for (const sight of row.flat()) sights.add(sight);
    }
    this.#put([...groupBy(sights, ({ place }) => place).values()]);
  }

  #put(row: Row): void {
    this.#rows.add(row);
    for (const place of row) for (const sight of place) sight.row = row;
  }

  all(): Row[] {
    return [...this.#rows];
  }
}

/** Whether it is part of no twin yet. */
export function isLoose({ row }: Sight): boolean {
  return row === undefined;
}
