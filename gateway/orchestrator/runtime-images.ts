import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

interface RuntimeFile {
  readonly name: string;
  readonly commands: readonly string[];
  readonly images: readonly string[];
}

interface KnownRuntime {
  readonly name: string;
  /** What an image that has the language is likely to be called after. */
  readonly words: ReadonlySet<string>;
  readonly patterns: readonly RegExp[];
}

/** Tells which of our runtimes an image name means. */
export class RuntimeImages {
  readonly #runtimes: readonly KnownRuntime[];

  /** Reads `<runtimesDirectory>/<language>/runtime.json`. */
  constructor(runtimesDirectory: string) {
    this.#runtimes = readdirSync(runtimesDirectory, { withFileTypes: true })
      .filter((folder) => folder.isDirectory())
      .map(
        (folder) =>
          JSON.parse(readFileSync(join(runtimesDirectory, folder.name, 'runtime.json'), 'utf8')) as RuntimeFile,
      )
      .map(({ name, commands, images }) => ({
        name,
        words: new Set([name, ...commands].flatMap((word) => [word, word.replace(/[\d.]+$/, '')])),
        patterns: images.map((pattern) => new RegExp(pattern, 'i')),
      }));
  }

  /** True for the very name of a runtime, without a tag. */
  isName(image: string): boolean {
    return this.#runtimes.some(({ name }) => name === image);
  }

  /** The runtime's name, or undefined where the image tells none. A tag or digest of the image is not looked at. */
  runtimeOf(image: string): string | undefined {
    const repository = repositoryOf(image);
    const exact = this.#runtimes.find(({ name }) => name === repository);
    return (exact ?? this.#runtimes.find(({ patterns }) => patterns.some((pattern) => pattern.test(repository))))?.name;
  }

  /** Runtimes that the image's name hints at, best first; there may be none. */
  likelyRuntimes(image: string): string[] {
    const meant = this.runtimeOf(image);
    const words = repositoryOf(image)
      .toLowerCase()
      .split(/[^a-z0-9.]+/);
    const hinted = this.#runtimes.filter(({ words: known }) => words.some((word) => known.has(word)));
    // Newer ones of a language are named after older ones: python3, python2.
    const names = hinted.map(({ name }) => name).sort((a, b) => (a < b ? 1 : -1));
    return [...new Set(meant === undefined ? names : [meant, ...names])];
  }
}

function repositoryOf(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}
