/** Charts as inline SVG: no library, readable without scripts. Lengths are pixels. */

const WIDTH = 900;
const LABEL_WIDTH = 320;
const VALUE_WIDTH = 150;
const BAR_HEIGHT = 18;
const ROW_HEIGHT = 26;
const LINE_HEIGHT = 120;
const MARGIN = 8;
const LABEL_LETTERS = 46;
const AXIS_WIDTH = 70;

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Between which the measurements lay. */
  readonly min: number;
  readonly max: number;
  /** What stands beside it. */
  readonly text: string;
}

/** One bar below the other, each with its whisker from least to greatest. Undefined where there is nothing to draw. */
export function barChart(bars: readonly Bar[]): string | undefined {
  const greatest = Math.max(...bars.map(({ max }) => max));
  if (bars.length === 0 || !Number.isFinite(greatest) || greatest <= 0) return undefined;
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const x = (value: number) => LABEL_WIDTH + (Math.max(0, value) / greatest) * room;
  const rows = bars.map(({ label, value, min, max, text }, at) => {
    const top = at * ROW_HEIGHT + MARGIN;
    const middle = top + BAR_HEIGHT / 2;
    const whisker =
      max > min
        ? `<path class="whisker" d="M${n(x(min))} ${middle}H${n(x(max))}M${n(x(min))} ${middle - 4}v8M${n(x(max))} ${middle - 4}v8"/>`
        : '';
    return (
      `<text x="${LABEL_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escapeHtml(shorten(label))}</text>` +
      `<rect x="${LABEL_WIDTH}" y="${top}" width="${n(Math.max(1, x(value) - LABEL_WIDTH))}" height="${BAR_HEIGHT}"/>${whisker}` +
      `<text x="${n(Math.max(x(value), x(max)) + 8)}" y="${middle + 4}">${escapeHtml(text)}</text>`
    );
  });
  const height = bars.length * ROW_HEIGHT + MARGIN;
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img">${rows.join('')}</svg>`;
}

/** A line over time, from zero. Undefined where there are too few points. */
export function lineChart(points: readonly (readonly [x: number, y: number])[], unit: string): string | undefined {
  if (points.length < 2) return undefined;
  const last = Math.max(...points.map(([seconds]) => seconds));
  const greatest = Math.max(...points.map(([, value]) => value)) || 1;
  const x = (seconds: number) => AXIS_WIDTH + (seconds / (last || 1)) * (WIDTH - AXIS_WIDTH - MARGIN);
  const y = (value: number) => MARGIN + (1 - value / greatest) * LINE_HEIGHT;
  const path = points.map(([seconds, value], at) => `${at === 0 ? 'M' : 'L'}${n(x(seconds))} ${n(y(value))}`).join('');
  const bottom = MARGIN + LINE_HEIGHT;
  const axis = `<path class="axis" d="M${AXIS_WIDTH} ${MARGIN}V${bottom}H${WIDTH - MARGIN}"/>`;
  const texts =
    `<text x="${AXIS_WIDTH - 8}" y="${MARGIN + 10}" text-anchor="end">${greatest.toFixed(greatest < 10 ? 1 : 0)}</text>` +
    `<text x="${AXIS_WIDTH - 8}" y="${bottom}" text-anchor="end">0</text>` +
    `<text x="${AXIS_WIDTH}" y="${bottom + 18}">${escapeHtml(unit)} over ${duration(last)}</text>`;
  return `<svg viewBox="0 0 ${WIDTH} ${bottom + 26}" role="img">${axis}<path class="line" d="${path}"/>${texts}</svg>`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function shorten(text: string): string {
  return text.length <= LABEL_LETTERS ? text : `${text.slice(0, LABEL_LETTERS - 1)}…`;
}

function duration(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} minutes`;
}

/** A length, short. */
function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}
