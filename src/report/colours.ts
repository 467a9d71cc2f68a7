// The colours that capture points have wherever their packets are shown, in the order of the topology's points.

/** Names of chalk's; those of alarm, red and yellow, are left for alarms. */
export const POINT_COLOURS = [
  'cyan',
  'green',
  'magenta',
  'blue',
  'cyanBright',
  'greenBright',
  'magentaBright',
  'blueBright',
] as const;
