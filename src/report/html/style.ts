// The report's looks: light and dark as the reader's system says, narrow and wide, on paper. No fonts, images or scripts from anywhere.

export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --panel: #ffffff; --line: #d9dde3; --faint: #eef1f5; --text: #1b2027; --muted: #57606c;
  --server: #1a56c4; --client: #0a7048; --rewritten: #8f4e00; --rewritten-back: #fdf3e2; --machine: #f0f4fa;
  --pass: #0a7048; --pass-back: #e4f4ec; --fail: #b3261e; --fail-back: #fdeceb; --unknown: #7a5400; --unknown-back: #fbf2dc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151a; --panel: #1a1e25; --line: #343b46; --faint: #242a33; --text: #e6e9ee; --muted: #a3adba;
    --server: #82b1ff; --client: #63d3a0; --rewritten: #f2b866; --rewritten-back: #33291a; --machine: #212833;
    --pass: #63d3a0; --pass-back: #16301f; --fail: #ff9d95; --fail-back: #3a1d1b; --unknown: #f0c465; --unknown-back: #352b14;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
code, pre, .mono, svg text { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
main, .top, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
.top { padding-top: 44px; padding-bottom: 8px; }
h1 { font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.2; letter-spacing: -.015em; margin: 0 0 10px; text-wrap: balance; }
.eyebrow { font-weight: 700; color: var(--server); margin: 0 0 2px; }
h2 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; margin: 0 0 6px; }
h3 { font-size: 1.12rem; margin: 0 0 4px; }
p { margin: 0 0 12px; max-width: 75ch; }
.lead { font-size: 1.1rem; color: var(--muted); }
.muted { color: var(--muted); }
.small { font-size: .875rem; }
a { color: var(--server); }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 3px solid var(--server); outline-offset: 2px; border-radius: 6px; }
nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 18px 0 0; padding: 0; }
nav a { display: inline-block; padding: 4px 0; }
section.lab { margin-top: 56px; }
section.lab:first-child { margin-top: 20px; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 14px; padding: 22px 24px; margin: 20px 0; }
.badge { display: inline-flex; align-items: center; gap: 8px; padding: 4px 13px; border-radius: 99px; font-weight: 600; font-size: .95rem; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .unknown { color: var(--unknown); }
.badge.pass { background: var(--pass-back); } .badge.fail { background: var(--fail-back); } .badge.unknown { background: var(--unknown-back); }
.facts { display: flex; flex-wrap: wrap; gap: 8px 18px; align-items: center; margin: 14px 0 0; padding: 0; list-style: none; }
.scroll { overflow-x: auto; margin: 14px -8px; padding: 4px 8px; }
.scroll svg { display: block; }
.steps { margin: 18px 0 0; padding: 0; list-style: none; display: grid; gap: 16px 28px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 215px), 1fr)); }
.steps > li { display: flex; gap: 12px; }
.steps .number { flex: none; width: 26px; height: 26px; border-radius: 50%; color: var(--panel); background: var(--server); font-weight: 700; font-size: .85rem; display: grid; place-items: center; }
.steps .to-client .number { background: var(--client); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 0; padding: 0; list-style: none; color: var(--muted); font-size: .875rem; }
.legend .to-server { color: var(--server); } .legend .to-client { color: var(--client); } .rewritten { color: var(--rewritten); }
.changes { margin: 2px 0 0; padding: 0; list-style: none; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; }
caption { text-align: left; color: var(--muted); padding-bottom: 6px; }
th, td { text-align: left; vertical-align: top; padding: 7px 18px 7px 0; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
thead th { color: var(--muted); font-weight: 600; font-size: .85rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.comparison td { min-width: 130px; } .comparison th[scope=row] { min-width: 160px; font-weight: 600; }
ul.claims { list-style: none; margin: 10px 0 0; padding: 0; border-top: 1px solid var(--line); }
ul.claims > li { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; }
.claims summary { display: grid; grid-template-columns: 26px 1fr 22px; padding: 11px 4px; list-style: none; border-radius: 6px; }
.claims summary::-webkit-details-marker { display: none; }
.claims summary::after { content: "›"; color: var(--muted); font-size: 1.3rem; line-height: 1; justify-self: center; }
.claims [open] > summary::after { transform: rotate(90deg); align-self: start; }
.claims summary:hover { background: var(--faint); }
.claims .mark { font-weight: 700; font-size: 1.05rem; }
.claims .title { font-weight: 600; }
.claims .id { color: var(--muted); font-size: .82rem; margin-left: 10px; font-weight: 400; }
.claims .observed { display: block; color: var(--muted); font-size: .94rem; }
.claims .body { padding: 0 4px 16px 30px; }
dl { margin: 0 0 8px; display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; }
dt { color: var(--muted); } dd { margin: 0; }
@media (max-width: 560px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; } .panel { padding: 18px 16px; } .claims .id { display: block; margin: 0; } }
blockquote { margin: 4px 0 14px; padding: 8px 16px; border-left: 4px solid var(--line); background: var(--faint); border-radius: 0 8px 8px 0; }
blockquote p, .says { margin: 0; }
pre { font-size: .8rem; line-height: 1.5; margin: 6px 0 12px; white-space: pre; }
pre.scroll { background: var(--faint); border-radius: 8px; padding: 12px 14px; margin: 6px 0 12px; }
figure { margin: 0; } figcaption { color: var(--muted); font-size: .9rem; }
.evidence h4 { margin: 10px 0 0; font-size: .9rem; font-weight: 600; }
details.more > summary { color: var(--server); padding: 6px 0; }
details.step { border-top: 1px solid var(--line); }
.reason { color: var(--muted); }
.bar { fill: var(--server); } .bar-back { fill: var(--faint); }
.note { border-left: 4px solid var(--rewritten); padding: 2px 0 2px 14px; margin: 0 0 12px; }
ul.plain { margin: 4px 0 12px; padding-left: 20px; }
footer { color: var(--muted); font-size: .875rem; padding-top: 32px; padding-bottom: 48px; }

svg text { fill: var(--text); font-size: 12px; }
svg .name { font: 700 14px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
svg .faint { fill: var(--muted); font-size: 11px; }
svg .box { fill: var(--machine); stroke: var(--line); }
svg .rail { stroke: var(--line); stroke-width: 2; }
svg .bus { stroke: var(--muted); stroke-width: 4; stroke-linecap: round; }
svg .link { stroke: var(--muted); stroke-width: 2; }
svg .plug { fill: var(--muted); }
svg .point { fill: var(--panel); stroke: var(--muted); stroke-width: 1.5; }
svg .band { fill: transparent; }
svg .row:hover .band { fill: var(--faint); }
svg .to-server { --way: var(--server); } svg .to-client { --way: var(--client); }
svg .leg, svg .way { stroke: var(--way); stroke-width: 1.8; fill: none; }
svg .way { stroke-width: 2.4; stroke-linejoin: round; }
svg .row:hover .leg { stroke-width: 3; }
svg .head, svg .seen { fill: var(--way); }
svg .unseen { stroke-dasharray: 3 4; }
svg .hop { stroke: var(--rewritten); stroke-width: 1.8; }
svg .changed { fill: var(--rewritten); }
svg .quiet { fill: var(--muted); }
svg .strong { font-weight: 700; }
svg .lost { stroke: var(--fail); stroke-width: 2.2; }
svg .wait { stroke: var(--client); stroke-width: 1.6; }
svg .served { fill: var(--client); } svg .gone { fill: var(--fail); }
svg .fault { stroke: var(--fail); stroke-width: 2; stroke-dasharray: 5 3; }
svg .badge-disc { fill: var(--way); stroke: var(--panel); stroke-width: 2; }
svg .badge-text { fill: var(--panel); font: 700 12px system-ui, sans-serif; }

@media print {
  :root { --page: #fff; --panel: #fff; --machine: #f4f6f9; }
  body { font-size: 10.5pt; }
  .panel { border-color: #bbb; break-inside: auto; padding: 12px 14px; }
  nav, .no-print { display: none; }
  .scroll { overflow: visible; margin: 8px 0; padding: 0; }
  .scroll svg { width: 100%; height: auto; }
  pre, pre.scroll { white-space: pre-wrap; }
  ul.claims > li, tr, svg, .steps li { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
`;
