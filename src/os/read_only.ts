/** A world in which nothing can be changed: for looking at a directory that is another process', or evidence. */
import { asideOf, type Files, type FilesAside, type OpenFile, type World } from "./world.ts";

export function readOnly(world: World): World {
  return { clock: world.clock, random: world.random, files: new ReadOnlyFiles(world.files) };
}

class ReadOnlyFiles implements Files {
  readonly #files: Files;
  readonly aside: FilesAside = asideOf(this);

  constructor(files: Files) {
    this.#files = files;
  }
  open(path: string): OpenFile {
    const file = this.#files.open(path, "read");
    return {
      read: (at, into) => file.read(at, into),
      readAside: (at, into) => file.readAside(at, into),
      size: () => file.size(),
      close: () => file.close(),
      write: () => refuse("write to", path),
      sync: () => refuse("sync", path),
      writeAside: () => refuse("write to", path),
      truncate: () => refuse("cut", path),
    };
  }
  exists(path: string): boolean {
    return this.#files.exists(path);
  }
  list(dir: string): string[] {
    return this.#files.list(dir);
  }
  holder(path: string): string | undefined {
    return this.#files.holder(path);
  }
  space(path: string): number {
    return this.#files.space(path);
  }
  create(path: string): never {
    return refuse("create", path);
  }
  makeDir(path: string): never {
    return refuse("create", path);
  }
  rename(path: string): never {
    return refuse("rename", path);
  }
  remove(path: string): never {
    return refuse("remove", path);
  }
  syncDir(path: string): never {
    return refuse("sync", path);
  }
  lock(path: string): never {
    return refuse("lock", path);
  }
}

/** With the code of a file system that is mounted so: who can do without a change goes on, as there. */
function refuse(what: string, path: string): never {
  throw Object.assign(new Error(`Cannot ${what} "${path}": it is only being looked at`), { code: "EROFS" });
}
