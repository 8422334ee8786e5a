/** The deployment of the OCR example, unchanged, in one process, in processes, and on machines of their own. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Scope } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Binary from "../fixtures/cli/binary.ts"
import * as Network from "../fixtures/cli/network.ts"

const example = (name: string) => fileURLToPath(new URL(`../../examples/ocr/${name}`, import.meta.url))
const reader = fileURLToPath(new URL("../fixtures/cli/ocr.reader.ts", import.meta.url))
const ocr = ["--deployment", example("deployment.ts"), "--config", example("chorale.yaml")]

/** Where the deployment runs. */
interface Place {
  readonly url: string
  /** Where its client runs. */
  readonly within?: ReadonlyArray<string>
  /** Each kills a unit, and ends when it is there again. */
  readonly kills: ReadonlyArray<Effect.Effect<void>>
}

/** What a client sees of the deployment wherever that runs, and while units of it are killed. */
const endToEnd = Effect.fnUntraced(function*({ kills, url, within }: Place) {
  const client = yield* Binary.startProgram(reader, [url], within === undefined ? {} : { within })
  yield* client.line("all is read")
  const more = Effect.suspend(() => client.line(`call ${client.stdout().split("\ncall ").length + 2}.`))
  yield* more
  for (const kill of kills) {
    yield* kill
    yield* more
  }
  client.kill("SIGTERM")
  const { outcomes, retried } = JSON.parse((yield* client.line("end: ")).replace("end: ", ""))
  assert.deepStrictEqual(Object.keys(outcomes), ["read"], JSON.stringify(outcomes))
  if (kills.length > 0) assert.isAbove(retried, 0)
})

/** The unit that a process of a supervisor runs. */
const unitOf = (pid: number): string | undefined => {
  try {
    return /CHORALE_UNIT=[^\0]*"unit":"(\w+)"/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1]
  } catch {
    return undefined
  }
}

const inProcesses = Effect.gen(function*() {
  const server = yield* Binary.serve([...ocr, "--profile", "processes"])
  const processes = (unit: string) => Binary.descendants(server.pid).filter((pid) => unitOf(pid) === unit)
  const kill = (unit: string) =>
    Effect.gen(function*() {
      const before = processes(unit)
      assert.isNotEmpty(before)
      for (const pid of before) process.kill(pid, "SIGKILL")
      yield* Effect.repeat(Effect.delay(Effect.sync(() => processes(unit)), "50 millis"), {
        until: (now) => now.length === before.length && !now.some((pid) => before.includes(pid))
      })
    })
  const place: Place = { url: server.url, kills: [kill("detector"), kill("recognizer")] }
  return place
})

const onMachines = Effect.gen(function*() {
  const [own, ...others] = yield* Network.hosts(5)
  const units = ["detector", "classifier", "recognizer", "ocr"].map((name, index) => ({ name, host: others[index] }))
  const env = Object.fromEntries(
    ["TEXT_DETECTOR_URL", "ORIENTATION_CLASSIFIER_URL", "TEXT_RECOGNIZER_URL"].map((variable, index) => [
      variable,
      `http://${others[index]?.address}:3000`
    ])
  )
  const start = ({ host, name }: (typeof units)[number]) =>
    host === undefined ? Effect.die(new Error(`there is no machine for ${name}`)) : Binary.serve(
      [...ocr, "--unit", name, "--host", host.address, "--port", "3000"],
      { env: name === "ocr" ? env : {}, within: host.within }
    )
  const servers = new Map(
    yield* Effect.forEach(units, (unit) => Effect.map(start(unit), (server) => [unit, server] as const), {
      concurrency: "unbounded"
    })
  )
  const scope = yield* Effect.scope
  const kill = (unit: (typeof units)[number] | undefined) =>
    Effect.gen(function*() {
      const server = unit === undefined ? undefined : servers.get(unit)
      if (unit === undefined || server === undefined) return assert.fail("there is no such unit")
      server.kill("SIGKILL")
      yield* server.ended
      servers.set(unit, yield* Effect.provideService(start(unit), Scope.Scope, scope))
    })
  const place: Place = {
    url: `http://${others[3]?.address}:3000`,
    within: own?.within ?? [],
    kills: [kill(units[0]), kill(units[2])]
  }
  return place
})

describe("the deployment of the OCR example", () => {
  it.live("reads pictures as one process", () =>
    Effect.gen(function*() {
      const { url } = yield* Binary.serve(ocr)
      yield* endToEnd({ url, kills: [] })
    }), 120_000)

  it.live(
    "reads pictures as processes, and fails no call that is retried when those of a unit are killed",
    () => Effect.flatMap(inProcesses, endToEnd),
    120_000
  )

  const cannot = Network.reason === undefined ? "" : ` (${Network.reason})`
  it.live.skipIf(Network.reason !== undefined)(
    `reads pictures with units on machines of their own, and fails no call that is retried when one is killed${cannot}`,
    () => Effect.flatMap(onMachines, endToEnd),
    120_000
  )
})
