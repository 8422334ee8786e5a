/** Runs the example as a user does. */
import { assert, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const root = fileURLToPath(new URL("../../../", import.meta.url))

it("the batching example runs both ways and compares them", async () => {
  const { stderr, stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@chorale/source", "examples/batching/main.ts"],
    { cwd: root }
  )
  assert.strictEqual(stderr, "")
  // Which is faster is for the benchmark to say: here other tests use the same cores.
  const rates = Array.from(stdout.matchAll(/: +(\d+) calls a second/g), ([, rate]) => Number(rate))
  assert.lengthOf(rates, 2)
  assert.isTrue(rates.every((rate) => rate > 0))
  assert.match(stdout, /that is [\d.]+ times as many/)
})
