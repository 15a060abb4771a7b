/** Files that make a folder a module of its own: Python's and Node.js's. */
const FOLDER_MODULE = /^(__init__|index)\.[^.]+$/;

/**
 * The folder of an archive that becomes the package's root, with its slash, or ''. Where the entry's module is not at
 * the top and exactly one folder holds it, that folder is: archives of `zip -r x.zip ~/dir/*` have `home/user/dir/main.py`.
 * A module is a file of its name, whatever its extension, or a folder that is a module; a folder of that name and nothing
 * more counts only where there is neither.
 */
export function rootOf(paths: Iterable<string>, entry: string): string {
  const module = entry.split('.').slice(0, -1).join('/') || entry;
  const modules = new Holders();
  const folders = new Holders();
  for (const path of paths) {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const folder = path.slice(0, slash + 1);
    modules.look(`${folder}${withoutExtension(name)}`, module);
    if (FOLDER_MODULE.test(name)) modules.look(folder.slice(0, -1), module);
    folders.lookAlong(folder, module);
  }
  return (modules.isEmpty ? folders : modules).root;
}

/** The folders that hold a module; two are as good as many. */
class Holders {
  #first: string | undefined;
  #isOne = true;

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  get root(): string {
    return this.#isOne ? (this.#first ?? '') : '';
  }

  /** `path` may be the module, in some folder. */
  look(path: string, module: string): void {
    if (path === module) this.#add('');
    else if (path.endsWith(`/${module}`)) this.#add(path.slice(0, -module.length));
  }

  /** Any folder on the way to `folder`, which ends in a slash or is '', may have the module's name. */
  lookAlong(folder: string, module: string): void {
    const text = `/${folder}`;
    for (let at = text.indexOf(`/${module}/`); at >= 0; at = text.indexOf(`/${module}/`, at + 1)) {
      this.#add(text.slice(1, at + 1));
      if (!this.#isOne || this.#first === '') return;
    }
  }

  /** A module at the top is the one, whatever else there is. */
  #add(folder: string): void {
    if (folder === '' || this.#first === undefined) this.#first = folder;
    else if (this.#first !== '' && this.#first !== folder) this.#isOne = false;
  }
}

function withoutExtension(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : name;
}
