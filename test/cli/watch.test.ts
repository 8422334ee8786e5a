import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Binary from "../fixtures/cli/binary.ts"
import { linkModules } from "../fixtures/cli/modules.ts"

const contracts = fileURLToPath(new URL("../fixtures/cli/hello/contracts.ts", import.meta.url))

/** A deployment that is watched, and what changes it. */
const watched = Effect.fnUntraced(function*(placement: string) {
  const cwd = yield* Binary.folder()
  linkModules(cwd)
  const program = Fs.readFileSync(Binary.hello, "utf8").replace("./contracts.ts", contracts)
  const write = (greeting: string) =>
    Fs.writeFileSync(Path.join(cwd, "deployment.ts"), program.replace("?? \"hello\"", `?? "${greeting}"`))
  const configure = (greeting: string) =>
    Fs.writeFileSync(Path.join(cwd, "chorale.yaml"), `units: { greeter: { env: { GREETING: ${greeting} } } }\n`)
  write("first")
  const port = String(yield* Binary.closedPort)
  const running = yield* Binary.serve(["--watch", "--port", port, "--placement", placement], { cwd })
  /** Waits until the greeting is that; the time of the test is the limit. */
  const greets = (greeting: string) =>
    Effect.option(Binary.call(running.url, "hello/Hello/hello", { name: "world" })).pipe(
      Effect.map(Option.match({ onNone: () => undefined, onSome: ({ body }) => body })),
      Effect.repeat({ until: (text) => text === `${greeting} world` })
    )
  return { configure, greets, running, write }
})

describe("chorale serve --watch", () => {
  it.live.each(["threads", "processes"])(
    "starts again when a file changes, and stops well, %s",
    (placement) =>
      Effect.gen(function*() {
        const { configure, greets, running, write } = yield* watched(placement)
        yield* greets("first")
        write("second")
        yield* greets("second")
        // The environment of a unit is what it had when it was started.
        configure("third")
        yield* greets("third")
        configure("fourth")
        yield* greets("fourth")
        running.kill("SIGTERM")
        assert.strictEqual((yield* running.ended).code, 0)
      }),
    90_000
  )
})
