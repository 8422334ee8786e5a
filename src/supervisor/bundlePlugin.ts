/** What the bundle of a program has to have so that it runs as its modules do. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import type { Plugin } from "rolldown"

/** The module that begins the bundle. */
export const entry = "chorale:replica"

/** What modules that run by themselves ask of Node, in the names that `make` gives to every module which asks. */
export const importMeta: Record<string, string> = {
  "import.meta.url": "__choraleUrl",
  "import.meta.filename": "__choraleFilename",
  "import.meta.dirname": "__choraleDirname",
  "import.meta.resolve": "__choraleResolve",
  "import.meta.main": "false"
}

/**
 * Bundles the modules of the program, Effect, this library, and the packages that use them, of which there must be one
 * copy. All other packages are imported from where they are: they may have native code, or look for files beside them.
 *
 * A module finds files beside it where its source is. To resolve a specifier from there takes
 * `--experimental-import-meta-resolve`.
 */
export const make = (program: string): Plugin => {
  const isBundled = bundledPackages()
  return {
    name: "chorale",
    resolveId: {
      order: "pre",
      // What is relative stays in its package.
      filter: { id: [/^[^./]/, notBundled] },
      async handler(source, importer, options) {
        if (source === entry || source === meta) return source
        const resolved = await this.resolve(source, importer, { ...options, skipSelf: true })
        // Node says so when it is imported, which it may never be.
        if (resolved === null) return { id: source, external: true }
        if (resolved.external !== false || !Path.isAbsolute(resolved.id) || isBundled(resolved.id)) return resolved
        return { id: pathToFileURL(resolved.id).href, external: "absolute" }
      }
    },
    load: {
      filter: { id: own },
      handler: (id) => id === entry ? program : resolveFrom
    },
    transform: {
      filter: { code: "import.meta", id: { exclude: own } },
      // In the first line, so that no other one has another number.
      handler: (code, id) => ({ code: `${metaOf(id)} ${code}`, map: null })
    }
  }
}

const meta = "chorale:meta"

const own = /^chorale:/

const resolveFrom = "const meta = import.meta\n" +
  "export const resolveFrom = (parent) => (specifier) => meta[\"resolve\"](specifier, parent)\n"

const metaOf = (id: string): string => {
  const url = pathToFileURL(id).href
  return [
    `import { resolveFrom as __choraleResolveFrom } from ${JSON.stringify(meta)};`,
    `const __choraleUrl = ${JSON.stringify(url)};`,
    `const __choraleFilename = ${JSON.stringify(id)};`,
    `const __choraleDirname = ${JSON.stringify(Path.dirname(id))};`,
    `const __choraleResolve = /*#__PURE__*/ __choraleResolveFrom(__choraleUrl);`
  ].join(" ")
}

/** Native code, and modules that are bound to the ways of CommonJS. */
const notBundled = /\.(?:node|cjs|cts)$/

/** Whether a file belongs to a package that is bundled. */
const bundledPackages = () => {
  const known = new Map<string, boolean>()
  return (path: string): boolean => {
    const root = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+(?=[\\/])/.exec(path)?.[0]
    if (root === undefined) return !notBundled.test(path)
    const found = known.get(root) ?? usesEffect(root)
    known.set(root, found)
    return found
  }
}

const shared = ["effect", "chorale"]

const usesEffect = (root: string): boolean => {
  const { dependencies, name, peerDependencies }: Manifest = JSON.parse(
    Fs.readFileSync(Path.join(root, "package.json"), "utf8")
  )
  const uses = { ...dependencies, ...peerDependencies }
  return shared.some((shared) => name === shared || shared in uses)
}

interface Manifest {
  readonly name?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}
