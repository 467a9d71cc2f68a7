// Lines of a terminal that are drawn again and again in place. Between two drawings the cursor rests at their top left, so that clearing
// from there is right whatever a new width made of the lines below.

/** A terminal's output. */
export interface Surface {
  readonly write: (text: string) => unknown;
}

// Synchronized output (DEC private mode 2026) where the terminal has it; others ignore it.
// Without automatic margins (DECAWM) a frame that comes when the terminal has just become narrower is cut, and takes no more lines.
const BEGIN = '\u001B[?2026h\u001B[?7l';
const END = '\u001B[?7h\u001B[?2026l';
const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
const OTHER_SCREEN = '\u001B[?1049h';
const FIRST_SCREEN = '\u001B[?1049l';
const CLEAR_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';
const HOME = '\u001B[H';
// Not from the first column on: tmux takes clearing from the screen's first place on for `clear`, and keeps what was there in its history.
const CLEAR = '\r\u001B[2K\u001B[C\u001B[J\r';

export class Region {
  readonly #surface: Surface;
  readonly #isWhole: boolean;
  #isOpen = false;
  #shown = '';

  /** @param whole the whole screen, an alternate one, so that what was there comes back at the end */
  constructor(surface: Surface, options: { readonly whole?: boolean } = {}) {
    this.#surface = surface;
    this.#isWhole = options.whole === true;
  }

  /** Shows a frame: lines of at most the terminal's width less one, at most as many as it has rows. */
  draw(frame: string): void {
    if (this.#isOpen && this.#isWhole && frame === this.#shown) return;
    const lines = frame.split('\n');
    const up = this.#isWhole ? HOME : `${lines.length > 1 ? `\u001B[${lines.length - 1}A` : ''}\r`;
    this.#surface.write(
      (this.#isOpen ? '' : (this.#isWhole ? OTHER_SCREEN : '') + HIDE_CURSOR) +
        BEGIN +
        (this.#isWhole ? HOME : '\r') +
        lines.map((line) => line + CLEAR_LINE).join('\r\n') +
        CLEAR_BELOW +
        up +
        END,
    );
    this.#isOpen = true;
    this.#shown = frame;
  }

  /** Takes the lines away; other text can be written then, up to the next drawing. */
  clear(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#surface.write((this.#isWhole ? HOME + CLEAR_BELOW + FIRST_SCREEN : CLEAR) + SHOW_CURSOR);
  }
}
