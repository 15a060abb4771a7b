import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

interface RuntimeFile {
  readonly name: string;
  readonly images: readonly string[];
}

/** Tells which runtime of this machine an image name means: its own name, or a pattern of its `runtime.json`. */
export class RuntimeImages {
  readonly #runtimes: readonly { readonly name: string; readonly patterns: readonly RegExp[] }[];

  /** Reads `<runtimesDirectory>/<language>/runtime.json`. */
  constructor(runtimesDirectory: string) {
    this.#runtimes = readdirSync(runtimesDirectory, { withFileTypes: true })
      .filter((folder) => folder.isDirectory())
      .map(
        (folder) =>
          JSON.parse(readFileSync(join(runtimesDirectory, folder.name, 'runtime.json'), 'utf8')) as RuntimeFile,
      )
      .map(({ name, images }) => ({ name, patterns: images.map((pattern) => new RegExp(pattern, 'i')) }));
  }

  /** The runtime's name, or undefined where the image tells none. A tag or digest of the image is not looked at. */
  runtimeOf(image: string): string | undefined {
    const repository = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
    const exact = this.#runtimes.find(({ name }) => name === repository);
    return (exact ?? this.#runtimes.find(({ patterns }) => patterns.some((pattern) => pattern.test(repository))))?.name;
  }
}
