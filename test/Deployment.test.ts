import { assert, describe, it } from "@effect/vitest"
import { Model, Resources, Traffic } from "chorale"
import { Config, ConfigProvider, Context, Deferred, Effect, Fiber, Layer, Logger, Schema } from "effect"
import { HttpRouter } from "effect/http"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import * as Deployment from "../src/Deployment.ts"

class Detector extends Model.Service<Detector>()("test/Detector", [Rpc.make("detect", { success: Schema.Int })]) {}
class Reader extends Model.Service<Reader>()("test/Reader", [Rpc.make("read", { success: Schema.String })]) {}
class Ocr extends Model.Service<Ocr>()("test/Ocr", [Rpc.make("all", { success: Schema.String })]) {}
class OtherReader
  extends Model.Service<OtherReader>()("other/Reader", [Rpc.make("read", { success: Schema.String })])
{}

/** Notes what is built and released. */
class Log extends Context.Service<Log, Array<string>>()("test/Log") {}

const noted = (name: string) =>
  Effect.gen(function*() {
    const log = yield* Log
    yield* Effect.acquireRelease(Effect.sync(() => log.push(`+${name}`)), () => Effect.sync(() => log.push(`-${name}`)))
  })

const log: Array<string> = []
const provide = Layer.succeed(Log, log)

const DetectorLive = Detector.toLayer(Effect.as(noted("detector"), { detect: () => Effect.succeed(2) })).pipe(
  Resources.require({ cpu: 1, memory: "512 MiB" })
)
const ReaderLive = Reader.toLayer(Effect.gen(function*() {
  yield* noted("reader")
  yield* Detector
  const language = yield* Effect.orDie(Config.String("READER_LANGUAGE"))
  const { replicas } = yield* Resources.Grant
  return { read: () => Effect.succeed(`${language} by ${replicas}`) }
})).pipe(Resources.require({ cpu: 0.5, memory: "256 MiB", replicas: { min: 1, max: 4 } }))
const OcrLive = Ocr.toLayer(Effect.gen(function*() {
  yield* noted("ocr")
  const detector = yield* Detector
  const reader = yield* Reader
  return { all: () => Effect.andThen(detector.detect(), reader.read()) }
}))

const detector = Deployment.unit(Detector, DetectorLive, { provide })
const environment = { READER_LANGUAGE: "Greek" }
const reader = Deployment.unit(Reader, ReaderLive, { dependsOn: [Detector], provide, environment })
const ocr = Deployment.unit(Ocr, OcrLive, { dependsOn: [Detector, Reader], provide, expose: true })
const pipeline = Deployment.make("pipeline", { ocr, detector, reader })

const machine = Resources.layerMachine({ cpu: 4, memory: "8 GiB", gpus: [] })
const withEnvironment = (values: Record<string, string>) =>
  Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(values)))

const problemsOf = (deployment: Deployment.Any, options?: Deployment.CheckOptions) =>
  Effect.map(
    Effect.flip(Deployment.check(deployment, options)),
    ({ problems }) => problems.map(({ detail, path }) => `${path}: ${detail}`)
  )

const only = (options: Deployment.UnitOptions<readonly [], readonly [], Layer.Layer<never>>) =>
  Deployment.make("one", {
    reader: Deployment.unit(OtherReader, OtherReader.toLayer({ read: () => Effect.succeed("") }), options)
  })

describe("Deployment.describe", () => {
  it("puts dependencies first, and has what units, requests and defaults say", () => {
    const description = Deployment.describe(pipeline)
    assert.deepStrictEqual(description.units.map(({ name }) => name), ["detector", "reader", "ocr"])
    assert.deepStrictEqual(description.units[1], {
      name: "reader",
      service: "test/Reader",
      methods: ["read"],
      placement: "local",
      replicas: 1,
      resources: { cpu: 0.5, memory: "256 MiB", replicas: { min: 1, max: 4 } },
      traffic: {},
      dependsOn: ["detector"],
      external: [],
      environment: { READER_LANGUAGE: "Greek" },
      secrets: [],
      expose: false
    })
  })

  it("has no range of replicas where the unit has a number of them, and times in milliseconds", () => {
    const { units } = Deployment.describe(Deployment.make("two", {
      detector,
      reader: Deployment.unit(Reader, ReaderLive, {
        dependsOn: [Detector],
        provide,
        replicas: 3,
        resources: { cpu: 2 },
        traffic: { concurrency: 4, timeout: "2 seconds" },
        scaling: { maxReplicas: 4, target: { queue: 1 }, scaleUpWindow: "1 minute" }
      })
    }))
    assert.deepInclude(units[1], {
      replicas: 3,
      resources: { cpu: 2, memory: "256 MiB" },
      traffic: { concurrency: 4, timeout: 2000 },
      scaling: {
        minReplicas: 1,
        maxReplicas: 4,
        target: { queue: 1 },
        scaleUpWindow: 60_000,
        scaleDownWindow: 300_000
      }
    })
  })

  it("is the same after a trip through JSON", () => {
    const description = Deployment.describe(pipeline)
    assert.deepStrictEqual(JSON.parse(JSON.stringify(description)), description)
  })
})

describe("Deployment.check", () => {
  it.effect("builds nothing, and gives the description", () =>
    Effect.gen(function*() {
      log.length = 0
      assert.deepStrictEqual(yield* Deployment.check(pipeline), Deployment.describe(pipeline))
      assert.deepStrictEqual(log, [])
    }))

  it.effect("refuses all that is wrong at once, each with where it is and what to do", () =>
    Effect.gen(function*() {
      const wrong = Deployment.make("Pipe_line", {
        ocr,
        detector,
        again: detector,
        reader: Deployment.unit(Reader, ReaderLive, {
          dependsOn: [Detector],
          provide,
          replicas: 0,
          resources: { cpu: -1 },
          traffic: { queue: 3 },
          scaling: { minReplicas: 3, maxReplicas: 2, target: {} },
          environment: { KEY: "value" },
          secrets: ["KEY"]
        })
      })
      const error = yield* Effect.flip(Deployment.check(wrong))
      assert.deepStrictEqual(error.problems.map(({ path }) => path).sort(), [
        "name",
        "units.again",
        "units.reader.environment.KEY",
        "units.reader.replicas",
        "units.reader.resources.cpu",
        "units.reader.scaling",
        "units.reader.scaling.target",
        "units.reader.traffic.queue"
      ])
      for (const { advice, detail } of error.problems) assert.isTrue(advice.endsWith(".") && detail.length > 0)
      assert.include(error.message, "the deployment Pipe_line has 8 problems:")
      assert.include(error.message, "  units.again: detector and again both serve test/Detector. Leave one out")
    }))

  it.effect("names a size that is none, also where the machine counts", () =>
    Effect.gen(function*() {
      const large = Deployment.make("large", {
        detector: Deployment.unit(Detector, DetectorLive, { provide, resources: { cpu: 100, memory: -5 } })
      })
      const inventory = { cpu: 1, memory: 1, gpus: [] }
      const error = yield* Effect.flip(Deployment.check(large, { inventory }))
      assert.deepStrictEqual(error.problems.map(({ path }) => path), ["units.detector.resources.memory"])
    }))

  it.effect("names the units along a cycle, once", () =>
    Effect.gen(function*() {
      const circle = Deployment.make("circle", {
        detector: Deployment.unit(
          Detector,
          Detector.toLayer(Effect.map(Ocr, (ocr) => ({ detect: () => Effect.as(ocr.all(), 1) }))),
          { dependsOn: [Ocr] }
        ),
        reader,
        ocr
      })
      const [found, ...others] = yield* problemsOf(circle)
      assert.deepStrictEqual(others, [])
      assert.match(found ?? "", /^units\.(\w+)\.dependsOn: units need each other: \1 -> .* -> \1$/)
    }))

  it.effect("refuses a unit that depends on itself", () =>
    Effect.gen(function*() {
      const self = Deployment.make("self", {
        ocr: Deployment.unit(Ocr, Ocr.toLayer(Effect.map(Ocr, (ocr) => ({ all: () => ocr.all() }))), {
          dependsOn: [Ocr]
        })
      })
      assert.deepStrictEqual(yield* problemsOf(self), ["units.ocr.dependsOn: units need each other: ocr -> ocr"])
    }))

  it.effect("refuses names that are no names of hosts", () =>
    Effect.gen(function*() {
      for (const name of ["", "Reader", "1st", "-a", "a-", "a_b", "a.b", "ä", "a".repeat(64)]) {
        const problems = yield* problemsOf({ name: "one", units: { [name]: detector } })
        assert.deepStrictEqual(problems, [`units.${name}: ${JSON.stringify(name)} is no name`])
      }
      yield* Deployment.check({ name: "one", units: { ["a".repeat(63)]: detector, "b-2": ocr, reader } })
    }))

  it.effect("refuses services that one variable would have to find", () =>
    Effect.gen(function*() {
      const twins = Deployment.make("twins", { detector, reader, other: only({}).units.reader })
      assert.deepStrictEqual(yield* problemsOf(twins), [
        "units: test/Reader and other/Reader would both be found by READER_URL"
      ])
    }))

  it.effect("refuses a deployment without units, and one that depends on what its types hid", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* problemsOf(Deployment.make("none", {})), ["units: there are none"])
      assert.deepStrictEqual(yield* problemsOf({ name: "some", units: { detector, ocr } }), [
        "units.ocr.dependsOn: no unit serves test/Reader"
      ])
    }))

  it.effect("refuses a service that is both outside and in the deployment", () =>
    Effect.gen(function*() {
      const both = Deployment.make("both", {
        detector,
        reader: Deployment.unit(Reader, ReaderLive, { external: [Detector], provide })
      })
      assert.deepStrictEqual(yield* problemsOf(both), [
        "units.reader.external: test/Detector is served by a unit of this deployment"
      ])
    }))

  it.effect("refuses resources that the machine does not have, and says how much is asked for", () =>
    Effect.gen(function*() {
      const inventory = { cpu: 1, memory: 2 ** 30, gpus: [] }
      assert.deepStrictEqual(yield* problemsOf(pipeline, { inventory }), [
        "units: they ask for more cpu than this machine has: cpu 1.5, memory 768 MiB, gpu 0, of cpu 1, memory 1 GiB, gpu 0"
      ])
      yield* Deployment.check(pipeline, { inventory: { ...inventory, cpu: 1.5 } })
    }))

  it.effect("refuses variables and addresses that the environment does not have", () =>
    Effect.gen(function*() {
      const outside = Deployment.make("outside", {
        reader: Deployment.unit(Reader, ReaderLive, {
          external: [Detector],
          provide,
          environment: { LANGUAGE: undefined, SET: "value" },
          secrets: ["TOKEN"]
        })
      })
      const found = problemsOf(outside, { environment: true, addresses: true })
      assert.deepStrictEqual(yield* withEnvironment({})(found), [
        "units.reader.environment.LANGUAGE: the environment has no LANGUAGE",
        "units.reader.secrets: the environment has no TOKEN",
        "units.reader.external: the environment does not say where test/Detector is"
      ])
      const nearly = { LANGUAGE: "en", TOKEN: "x", DETECTOR_URL: "nowhere" }
      assert.match((yield* withEnvironment(nearly)(found)).join(), /^units\.reader\.external: DETECTOR_URL: "nowhere"/)
      yield* withEnvironment({ ...nearly, DETECTOR_URL: "http://127.0.0.1:1" })(
        Deployment.check(outside, { environment: true, addresses: true })
      )
      yield* Deployment.check(outside)
    }))

  it.effect("refuses a replica count out of the range in which the unit scales, and a url that is none", () =>
    Effect.gen(function*() {
      const scaling = { minReplicas: 2, maxReplicas: 4, target: { concurrency: 1 } }
      assert.deepStrictEqual(yield* problemsOf(only({ scaling })), [
        "units.reader.scaling: the unit has 1 replicas, which is not from 2 to 4"
      ])
      yield* Deployment.check(only({ scaling, replicas: 4 }))
      yield* Deployment.check(only({ scaling: { ...scaling, maxReplicas: 2 }, replicas: 2 }))
      const configuration = { units: { reader: { url: "reader:80" } } }
      assert.match(
        (yield* problemsOf(only({}), { configuration })).join(),
        /^units\.reader\.url: "reader:80" is no address/
      )
    }))
})

describe("Deployment.layer", () => {
  const call = Ocr.use((ocr) => ocr.all())

  it.effect("builds each unit once, dependencies first, with its environment and its grant; releases them in reverse", () =>
    Effect.gen(function*() {
      log.length = 0
      const read = yield* Effect.provide(call, Layer.provide(Deployment.layer(pipeline), machine))
      assert.strictEqual(read, "Greek by 4")
      assert.deepStrictEqual(log, ["+detector", "+reader", "+ocr", "-ocr", "-reader", "-detector"])
    }))

  it.effect("has the environment of a unit before that of the process", () =>
    Effect.gen(function*() {
      const layer = Layer.provide(Deployment.layer(pipeline), machine)
      assert.strictEqual(
        yield* withEnvironment({ READER_LANGUAGE: "Latin" })(Effect.provide(call, layer)),
        "Greek by 4"
      )
    }))

  it.effect("grants resources also to a layer that did not ask for any itself", () =>
    Effect.gen(function*() {
      const grant = Effect.map(Resources.Grant, ({ replicas, threads }) => `${replicas} x ${threads}`)
      const layer = OtherReader.toLayer(Effect.map(grant, (text) => ({ read: () => Effect.succeed(text) })))
      const asking = Deployment.make("asking", {
        reader: Deployment.unit(OtherReader, layer, { replicas: 2, resources: { cpu: 2 } })
      })
      const read = OtherReader.use((reader) => reader.read())
      assert.strictEqual(yield* Effect.provide(read, Layer.provide(Deployment.layer(asking), machine)), "2 x 2")
    }))

  it.effect("refuses a secret that the environment does not have", () =>
    Effect.gen(function*() {
      const layer = Layer.provide(Deployment.layer(only({ secrets: ["TOKEN"] })), machine)
      const error = yield* withEnvironment({})(Effect.flip(Layer.build(layer)))
      assert.include(error.message, "units.reader.secrets: the environment has no TOKEN")
    }))

  it.effect("builds nothing where the deployment is refused", () =>
    Effect.gen(function*() {
      log.length = 0
      const small = Resources.layerMachine({ cpu: 1, memory: "8 GiB", gpus: [] })
      const error = yield* Effect.flip(Effect.provide(call, Layer.provide(Deployment.layer(pipeline), small)))
      assert.instanceOf(error, Deployment.DeploymentInvalid)
      assert.deepStrictEqual(log, [])
    }))

  it.effect("builds units that do not need each other at the same time", () =>
    Effect.gen(function*() {
      const slow = <A>(handlers: A) => Effect.as(Effect.sleep("1 second"), handlers)
      const abreast = Deployment.make("abreast", {
        detector: Deployment.unit(Detector, Detector.toLayer(slow({ detect: () => Effect.succeed(1) }))),
        reader: Deployment.unit(Reader, Reader.toLayer(slow({ read: () => Effect.succeed("") })))
      })
      const built = yield* Effect.forkChild(Layer.build(Layer.provide(Deployment.layer(abreast), machine)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(built)
    }))

  it.effect("limits the calls of a unit to those of a replica times its replicas, and their time", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let running = 0
      const held = OtherReader.toLayer({
        read: () => Effect.sync(() => running++).pipe(Effect.andThen(Deferred.await(gate)), Effect.as("read"))
      })
      const limited = Deployment.make("limited", {
        reader: Deployment.unit(OtherReader, held, {
          replicas: 2,
          traffic: { concurrency: 2, queue: 1, timeout: "1 second" }
        })
      })
      yield* Effect.gen(function*() {
        const client = yield* OtherReader
        const reasonOf = Effect.flip(client.read()).pipe(Effect.map((error) => error.reason._tag))
        const calls = yield* Effect.forkChild(Effect.all(Array.from({ length: 7 }, () => reasonOf), { concurrency: 7 }))
        yield* TestClock.adjust("999 millis")
        assert.strictEqual(running, 4)
        yield* TestClock.adjust("1 millis")
        const reasons = yield* Fiber.join(calls)
        assert.deepStrictEqual(reasons.toSorted(), [
          ...Array.from({ length: 6 }, () => "DeadlineExceeded"),
          "Overloaded"
        ])
      }).pipe(Effect.provide(Layer.provide(Deployment.layer(limited), machine)))
    }))

  it.effect("warns of a limit on a unit whose layer has a cache inside", () =>
    Effect.gen(function*() {
      const cached = OtherReader.toLayer({ read: () => Effect.succeed("read") }).pipe(
        Traffic.cache({ methods: ["read"], capacity: "1 KiB", timeToLive: "1 minute" })
      )
      const limited = Deployment.make("limited", {
        reader: Deployment.unit(OtherReader, cached, { traffic: { concurrency: 2 } })
      })
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => logged.push(String(message)))
      yield* Layer.build(Layer.provide(Deployment.layer(limited), machine)).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      assert.lengthOf(logged, 1)
      assert.include(logged[0], "other/Reader: Traffic.limit is put around Traffic.cache")
    }))

  it.effect("connects to a unit that the configuration says is elsewhere, and takes no resources for it", () =>
    Effect.gen(function*() {
      log.length = 0
      const configuration = { units: { detector: { url: "http://detector:80" } } }
      const small = Resources.layerMachine({ cpu: 0.5, memory: "8 GiB", gpus: [] })
      const asked: Array<string> = []
      const connect = (service: Model.Any, url: string) => {
        asked.push(`${service.key} at ${url}`)
        return Layer.succeed(Detector, { detect: () => Effect.succeed(7) })
      }
      const both = Effect.all([call, Detector.use((detector) => detector.detect())])
      const layer = Deployment.layer(pipeline, { configuration, connect })
      assert.deepStrictEqual(yield* Effect.provide(both, Layer.provide(layer, small)), ["Greek by 1", 7])
      assert.deepStrictEqual(asked, ["test/Detector at http://detector:80"])
      assert.deepStrictEqual(log.slice(0, 2), ["+reader", "+ocr"])

      const error = yield* Effect.flip(
        Effect.provide(call, Layer.provide(Deployment.layer(pipeline, { configuration }), small))
      )
      assert.include(error.message, "units.detector.url: nothing connects to it")
    }))

  it.effect("takes a service outside from the context", () =>
    Effect.gen(function*() {
      const outside = Deployment.make("outside", {
        reader: Deployment.unit(Reader, ReaderLive, { external: [Detector], provide, environment })
      })
      const detector = Layer.succeed(Detector, { detect: () => Effect.succeed(7) })
      const read = Reader.use((reader) => reader.read()).pipe(
        Effect.provide(Deployment.layer(outside).pipe(Layer.provide([machine, detector])))
      )
      assert.strictEqual(yield* read, "Greek by 4")
    }))
})

describe("Deployment.isDeployment", () => {
  it("tells a deployment from what else a module may export", () => {
    assert.isTrue(Deployment.isDeployment(pipeline))
    for (const other of [undefined, null, "pipeline", {}, { name: "a" }, { name: "a", units: null }]) {
      assert.isFalse(Deployment.isDeployment(other))
    }
    assert.isFalse(Deployment.isDeployment({ name: "a", units: { a: {} } }))
    assert.isFalse(Deployment.isDeployment({ name: "a", units: { a: { service: Reader, layer: 1 } } }))
    assert.isFalse(Deployment.isDeployment(Deployment.describe(pipeline)))
  })
})

describe("Deployment.unitLayer", () => {
  it.effect("is one unit over remote layers, with resources planned for it alone", () =>
    Effect.gen(function*() {
      log.length = 0
      const remotes = Layer.succeed(Detector, { detect: () => Effect.succeed(7) })
      const small = Resources.layerMachine({ cpu: 1, memory: "8 GiB", gpus: [] })
      const layer = Deployment.unitLayer(pipeline, "reader", remotes).pipe(
        Layer.provide(Deployment.layerGrants(pipeline, { units: ["reader"] })),
        Layer.provide(small)
      )
      assert.strictEqual(yield* Effect.provide(Reader.use((reader) => reader.read()), layer), "Greek by 2")
      assert.deepStrictEqual(log, ["+reader", "-reader"])
    }))

  it("throws for a unit that is not there", () => {
    const any: Deployment.Any = pipeline
    assert.throws(() => Deployment.unitLayer(any, "reeder", Layer.empty), /pipeline has no unit reeder; it has ocr, /)
  })
})

describe("Deployment.server", () => {
  it.effect("serves the units that are exposed and no others", () =>
    Effect.gen(function*() {
      const routes = Deployment.server(pipeline).pipe(Layer.provide(machine))
      const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const post = (path: string) =>
        Effect.promise(() => handler(new Request(`http://host/${path}`, { method: "POST" })))
      const answer = yield* post("test/Ocr/all")
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(yield* Effect.promise(() => answer.json()), "Greek by 4")
      assert.strictEqual((yield* post("test/Reader/read")).status, 404)
    }))
})
