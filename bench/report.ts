import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCE } from './machine.ts';
import type { Result } from './results.ts';
import { barChart, escapeHtml, lineChart, type Bar } from './svg.ts';
import { formatCell, formatGoal, isMet, type Goal, type Row, type Series, type Table } from './table.ts';

/** A page of its own, to be opened from the disk: nothing in it comes from elsewhere. */
const STYLE = `
:root { color-scheme: light dark; --ink: #1c2733; --faint: #5f6b78; --paper: #fff; --bar: #3a7bd5; --line: #d7dde4; --good: #1a7f4b; --bad: #c0392b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5eaf0; --faint: #97a3b0; --paper: #14191f; --bar: #4f8fe6; --line: #333d48; --good: #4cc38a; --bad: #ff7b6b; } }
body { max-width: 920px; margin: 2rem auto; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { margin-bottom: 0; } h2 { margin-top: 3rem; border-bottom: 2px solid var(--line); } h3 { margin: 2rem 0 .5rem; font-size: 1rem; } h4 { margin: 1rem 0 .25rem; font-weight: 600; font-size: .9rem; }
.facts, .remark { color: var(--faint); margin-top: .25rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
svg { width: 100%; height: auto; font-size: 12px; } svg text { fill: var(--ink); } svg rect { fill: var(--bar); }
.whisker { stroke: var(--ink); fill: none; } .axis { stroke: var(--line); fill: none; } .line { stroke: var(--bar); stroke-width: 1.5; fill: none; }
ul.goals { list-style: none; padding: 0; } .met { color: var(--good); } .missed { color: var(--bad); }
`;

/** Returns the page's path. */
export function writeReport(results: readonly Result[]): string {
  const path = join(SOURCE, 'report.html');
  writeFileSync(path, renderReport(results));
  return path;
}

export function renderReport(results: readonly Result[]): string {
  const links = results.map(({ question }) => `<a href="#${question}">${question}</a>`).join(' · ');
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Qinling: benchmarks</title><style>${STYLE}</style></head>
<body>
<h1>Qinling: benchmarks</h1>
<p class="facts">Bars are medians, whiskers go from the least to the greatest round. bench/README.md tells how each number is made.</p>
<p>${links}</p>
${goalsOf(results)}
${results.map(section).join('\n')}
</body>
</html>
`;
}

function goalsOf(results: readonly Result[]): string {
  const inFull = results.filter(({ isShort }) => !isShort);
  const all = inFull.flatMap(({ question, goals = [] }) => goals.map((goal) => ({ question, goal })));
  if (all.length === 0) return '';
  const met = all.filter(({ goal }) => isMet(goal)).length;
  const items = all.map(({ question, goal }) => goalItem(goal, `${question}: `));
  return `<h2>Goals: ${met} of ${all.length} met</h2>\n<ul class="goals">${items.join('')}</ul>`;
}

function goalItem(goal: Goal, prefix: string): string {
  const sign = isMet(goal) ? '✓' : '✗';
  const text = formatGoal(goal).replace(/^[^:]*: /, '');
  return `<li class="${isMet(goal) ? 'met' : 'missed'}">${sign} ${escapeHtml(prefix + text)}</li>`;
}

function section({ question, isShort, machine, seconds, tables, series = [], remarks = [] }: Result): string {
  const { cpuCount, cpu, node, commit, load, date } = machine;
  const facts = `${cpuCount} × ${cpu}, Node.js ${node}, commit ${commit}, load before ${load}, ${date}, ${seconds.toFixed(0)} s`;
  const short = isShort ? ' <strong>A short run: no numbers to publish.</strong>' : '';
  return `<h2 id="${question}">${question}</h2>
<p class="facts">${escapeHtml(facts)}.${short}</p>
${remarks.map((remark) => `<p class="remark">${escapeHtml(remark)}</p>`).join('')}
${tables.map(tablePart).join('\n')}
${series.map(seriesPart).join('\n')}`;
}

function tablePart(table: Table): string {
  const charts = table.columns.flatMap(({ name, digits, isDrawn }, at) => {
    const chart = isDrawn === true ? barChart(table.rows.flatMap((row) => barOf(row, at, digits))) : undefined;
    return chart === undefined ? [] : [`<h4>${escapeHtml(name)}</h4>${chart}`];
  });
  return `<h3>${escapeHtml(table.title)}</h3>\n${charts.join('\n')}\n${htmlTable(table)}`;
}

function barOf({ name, cells }: Row, at: number, digits: number): Bar[] {
  const cell = cells[at] ?? null;
  if (cell === null || typeof cell === 'string') return [];
  const { median, min, max } = typeof cell === 'number' ? { median: cell, min: cell, max: cell } : cell;
  return [{ label: name, value: median, min, max, text: median.toFixed(digits) }];
}

function htmlTable({ columns, rows }: Table): string {
  const heading = columns.map(({ name }) => `<th>${escapeHtml(name)}</th>`).join('');
  const lines = rows.map(({ name, cells }) => {
    const texts = columns.map(({ digits }, at) => `<td>${escapeHtml(formatCell(cells[at], digits))}</td>`);
    return `<tr><td>${escapeHtml(name)}</td>${texts.join('')}</tr>`;
  });
  return `<div class="scroll"><table><tr><th></th>${heading}</tr>${lines.join('')}</table></div>`;
}

function seriesPart({ title, unit, points }: Series): string {
  return `<h4>${escapeHtml(title)}</h4>${lineChart(points, unit) ?? '<p class="remark">too short to be drawn</p>'}`;
}
