import { formatSpread, type Spread } from './harness.ts';

/** What questions answer with: tables of numbers, the same for the terminal, the README and the page. */

/** A number, one with its spread, a remark, or nothing. */
export type Cell = number | Spread | string | null;

export interface Column {
  /** With its unit. */
  readonly name: string;
  readonly digits: number;
  /** Drawn as bars on the page; the others are read in the table. */
  readonly isDrawn?: boolean;
}

export interface Row {
  readonly name: string;
  readonly cells: readonly Cell[];
}

export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

/** Something over time. */
export interface Series {
  readonly title: string;
  readonly unit: string;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

/** A number that is to be at least, or at most, so much. */
export interface Goal {
  readonly name: string;
  readonly value: number;
  readonly digits: number;
  readonly bound: number;
  readonly is: 'at least' | 'at most';
}

export function isMet({ value, bound, is }: Goal): boolean {
  return is === 'at least' ? value >= bound : value <= bound;
}

export function formatGoal(goal: Goal): string {
  const { name, value, digits, bound, is } = goal;
  return `${isMet(goal) ? 'met' : 'MISSED'}: ${name}: ${value.toFixed(digits)}, goal ${is} ${bound}`;
}

/** A row may end early. */
export function formatCell(cell: Cell | undefined, digits: number): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'string') return cell;
  return typeof cell === 'number' ? cell.toFixed(digits) : formatSpread(cell, digits);
}

/** The table in Markdown, its columns in line: for the terminal, and to be put into a README as it is. */
export function formatTable({ title, columns, rows }: Table): string {
  const heading = ['', ...columns.map(({ name }) => name)];
  const lines = rows.map(({ name, cells }) => [
    name,
    ...columns.map(({ digits }, at) => formatCell(cells[at], digits)),
  ]);
  const widths = heading.map((_, at) => Math.max(3, ...[heading, ...lines].map((line) => line[at]!.length)));
  const format = (line: readonly string[]) => {
    const cells = line.map((text, at) => (at === 0 ? text.padEnd(widths[at]!) : text.padStart(widths[at]!)));
    return `| ${cells.join(' | ')} |\n`;
  };
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return `${title}\n\n${format(heading)}${format(rule)}${lines.map(format).join('')}`;
}
