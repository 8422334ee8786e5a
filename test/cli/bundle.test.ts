import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Binary from "../fixtures/cli/binary.ts"
import { linkModules } from "../fixtures/cli/modules.ts"

const deployment = `
import { Deployment, Model } from "chorale"
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { readFileSync } from "node:fs"
import { parse } from "yaml"
import legacy from "./legacy.cjs"
import "./registers.ts"

const later = await import("./later.ts")
class Facts extends Model.Service<Facts>()("test/Facts", [Rpc.make("tell", { success: Schema.Json })]) {}

const FactsLive = Facts.toLayer({
  tell: () => Effect.promise(async () => ({
    name: Facts.name,
    url: import.meta.url,
    filename: import.meta.filename,
    dirname: import.meta.dirname,
    isMain: import.meta.main === true,
    inText: "import.meta.url",
    beside: readFileSync(new URL("./beside.txt", import.meta.url), "utf8"),
    resolved: [import.meta.resolve("./beside.txt"), import.meta.resolve("yaml"), import.meta.resolve("own")],
    registered: globalThis.registered,
    legacy: legacy.directory,
    later: later.url,
    own: (await import("own")).isItself,
    yaml: parse("[1, 2]")
  }))
})

export default Deployment.make("facts", {
  facts: Deployment.unit(Facts, FactsLive, { placement: "processes", expose: true })
})
`

const program = {
  "deployment.ts": deployment,
  // A bundler may leave out what is imported for its effect alone; Node does not.
  "package.json": "{ \"type\": \"module\", \"sideEffects\": false }",
  "registers.ts": "Object.assign(globalThis, { registered: true })\nexport {}\n",
  "later.ts": "export const url: string = import.meta.url\n",
  "legacy.cjs": "exports.directory = __dirname\n",
  "beside.txt": "beside",
  "node_modules_own/package.json":
    "{ \"name\": \"own\", \"type\": \"module\", \"exports\": { \"import\": \"./own.js\" } }",
  "node_modules_own/own.js": "export const isItself = /own\\.js/.test(String(new Error().stack))\n"
}

/** A project with that program, and what is changed of it. */
const project = Effect.fnUntraced(function*(changes: Readonly<Record<string, string>> = {}) {
  const cwd = yield* Binary.folder({ ...program, ...changes })
  linkModules(cwd)
  Fs.renameSync(Path.join(cwd, "node_modules_own"), Path.join(cwd, "node_modules/own"))
  return cwd
})

const tell = (url: string) => Effect.map(Binary.call(url, "test/Facts/tell"), ({ body }) => body)

/** What Node was started with for each replica. */
const commands = (pid: number) =>
  Binary.descendants(pid).map((pid) => Fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0"))

/** The files that replicas start from where they are bundled. */
const bundles = (pid: number) => commands(pid).flatMap((words) => words.filter((word) => word.endsWith("replica.mjs")))

describe("replicas in processes", () => {
  it.live("start from one file of the program, in which everything is as in its modules", () =>
    Effect.gen(function*() {
      const cwd = yield* project()
      const bundled = yield* Binary.serve([], { cwd })
      const unbundled = yield* Binary.serve(["--no-bundle"], { cwd })
      assert.lengthOf(bundles(bundled.pid), 1)
      assert.lengthOf(bundles(unbundled.pid), 0)
      const told = yield* tell(unbundled.url)
      assert.nestedPropertyVal(told, "own", true)
      assert.deepStrictEqual(yield* tell(bundled.url), told)
    }))

  it.live("leave no file of it behind", () =>
    Effect.gen(function*() {
      const server = yield* Binary.serve([], { cwd: yield* project() })
      const [file = ""] = bundles(server.pid)
      assert.strictEqual(Fs.statSync(Path.dirname(file)).mode & 0o777, 0o700)
      server.kill("SIGTERM")
      assert.strictEqual((yield* server.ended).code, 0)
      assert.isFalse(Fs.existsSync(Path.dirname(file)))
    }))

  it.live("are what the files say when they are replaced", () =>
    Effect.gen(function*() {
      const cwd = yield* project()
      const server = yield* Binary.serve([], { cwd })
      const files = new Set(bundles(server.pid))
      for (const text of ["second", "third"]) {
        Fs.writeFileSync(Path.join(cwd, "deployment.ts"), deployment.replace("\"import.meta.url\"", `"${text}"`))
        server.kill("SIGUSR2")
        yield* Effect.repeat(tell(server.url), { until: (told) => JSON.stringify(told).includes(`"${text}"`) })
        for (const file of bundles(server.pid)) files.add(file)
      }
      // Those before the last ones are gone; the last ones are kept for what still runs of them.
      assert.deepStrictEqual(Array.from(files, Fs.existsSync), [false, true, true])
    }))

  it.live("say where in the sources something is wrong", () =>
    Effect.gen(function*() {
      const later =
        "export const url: string = import.meta.url\n\n  if (process.send !== undefined) throw new Error(\"no\")\n"
      const cwd = yield* project({ "later.ts": later })
      for (const flag of ["--bundle", "--no-bundle"]) {
        const { stderr } = yield* Binary.run(["serve", flag], { cwd })
        const [line, ...more] = stderr.split("\n")
        assert.strictEqual(line, "chorale: the unit facts did not start: the process exited with 1")
        assert.match(more.join("\n"), new RegExp(`Error: .*no`))
        assert.include(more.join("\n"), `${cwd}/later.ts:3:41`)
        assert.notInclude(stderr, "replica.mjs")
      }
    }))

  it.live("import their modules where the program cannot be bundled, and it is said why", () =>
    Effect.gen(function*() {
      const later =
        "export const url: string = import.meta.url\nawait import(\"./nowhere.ts\").catch(() => undefined)\n"
      const server = yield* Binary.serve([], { cwd: yield* project({ "later.ts": later }) })
      assert.include(yield* server.line("could not be bundled"), "./nowhere.ts")
      assert.lengthOf(bundles(server.pid), 0)
      assert.nestedPropertyVal(yield* tell(server.url), "beside", "beside")
    }))

  it.live.each([
    { where: "the environment", env: { NODE_OPTIONS: "--import ./registers.ts" }, yaml: "" },
    {
      where: "the configuration",
      env: {},
      yaml: "units: { facts: { env: { NODE_OPTIONS: --import=./registers.ts } } }\n"
    }
  ])("import their modules where something of $where is to see them", ({ env, yaml }) =>
    Effect.gen(function*() {
      const server = yield* Binary.serve([], { cwd: yield* project({ "chorale.yaml": yaml }), env })
      assert.lengthOf(bundles(server.pid), 0)
      assert.nestedPropertyVal(yield* tell(server.url), "beside", "beside")
    }))
})
