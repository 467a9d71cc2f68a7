// Lines drawn in place: exactly what a terminal is sent.
import { expect, it } from 'vitest';
import { Region } from '../../src/ui/region.ts';

const CSI = '\u001B[';
const BEGIN = `${CSI}?2026h${CSI}?7l`;
const END = `${CSI}?7h${CSI}?2026l`;

function recorded(whole = false) {
  let text = '';
  const region = new Region({ write: (part) => (text += part) }, { whole });
  return {
    region,
    sent: () => {
      const sent = text;
      text = '';
      return sent;
    },
  };
}

it('draws lines, and leaves the cursor at their beginning so that clearing needs no count of lines', () => {
  const { region, sent } = recorded();
  region.draw('one\ntwo');
  expect(sent()).toBe(`${CSI}?25l${BEGIN}\rone${CSI}K\r\ntwo${CSI}K${CSI}J${CSI}1A\r${END}`);
  region.draw('one');
  expect(sent()).toBe(`${BEGIN}\rone${CSI}K${CSI}J\r${END}`);
  region.clear();
  expect(sent()).toBe(`\r${CSI}2K${CSI}C${CSI}J\r${CSI}?25h`);
  region.clear();
  expect(sent()).toBe('');
});

it('takes the whole screen and gives it back, and draws nothing twice', () => {
  const { region, sent } = recorded(true);
  region.draw('one');
  expect(sent()).toBe(`${CSI}?1049h${CSI}?25l${BEGIN}${CSI}Hone${CSI}K${CSI}J${CSI}H${END}`);
  region.draw('one');
  expect(sent()).toBe('');
  region.clear();
  expect(sent()).toBe(`${CSI}H${CSI}J${CSI}?1049l${CSI}?25h`);
});
