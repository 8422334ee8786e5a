import { assert, describe, it } from "@effect/vitest"
import { Resources, Traffic } from "chorale"
import { Context, Effect, Layer, Logger } from "effect"
import { makeWork, Work } from "./work.ts"

const policies = {
  limit: Traffic.limit({ concurrency: 1 }),
  adaptiveLimit: Traffic.adaptiveLimit(),
  deadline: Traffic.deadline("1 second"),
  retry: Traffic.retry(),
  circuitBreaker: Traffic.circuitBreaker(),
  rateLimit: Traffic.rateLimit({ limit: 1, window: "1 second" }),
  cache: Traffic.cache({ methods: ["run"], capacity: 1000, timeToLive: 1000 })
} as const
type Name = keyof typeof policies

const apply = (inner: Name, outer: Name): Layer.Layer<Work> => {
  const layer = makeWork().layer
  const put = (name: Name, to: typeof layer): typeof layer => policies[name](to)
  return put(outer, put(inner, layer))
}

const warnings = (layer: Layer.Layer<Work>) =>
  Effect.gen(function*() {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => logged.push(String(message)))
    yield* Effect.scoped(Layer.build(layer)).pipe(Effect.provide(Logger.layer([logger])))
    return logged
  })

const refused: ReadonlyArray<[outer: Name, inner: Name]> = [
  ["limit", "cache"],
  ["adaptiveLimit", "cache"],
  ["circuitBreaker", "cache"],
  ["adaptiveLimit", "retry"],
  ["adaptiveLimit", "limit"],
  ["adaptiveLimit", "adaptiveLimit"],
  ["rateLimit", "retry"],
  ["retry", "retry"]
]

const warned: ReadonlyArray<[outer: Name, inner: Name]> = [
  ["limit", "retry"],
  ["limit", "deadline"],
  ["limit", "circuitBreaker"],
  ["limit", "rateLimit"],
  ["adaptiveLimit", "deadline"],
  ["adaptiveLimit", "circuitBreaker"],
  ["adaptiveLimit", "rateLimit"],
  ["circuitBreaker", "retry"],
  ["rateLimit", "cache"]
]

const names = Object.keys(policies) as ReadonlyArray<Name>
const has = (orders: ReadonlyArray<[Name, Name]>, outer: Name, inner: Name) =>
  orders.some(([other, another]) => other === outer && another === inner)

describe("the order of policies", () => {
  it("is refused where it defeats one of them, with both names and what to do", () => {
    assert.throws(
      () => apply("cache", "limit"),
      "test/Work: Traffic.limit is put around Traffic.cache: an answer that is in the cache would wait for a permit, and equal calls would take one each. Apply Traffic.limit first and Traffic.cache after it."
    )
  })

  const all = names.flatMap((outer) => names.map((inner): [Name, Name] => [outer, inner]))

  it.each(refused)("is refused for %s around %s", (outer, inner) => {
    assert.throws(() => apply(inner, outer), TypeError, `Traffic.${outer} is put around Traffic.${inner}`)
  })

  it.effect.each(all.filter(([outer, inner]) => !has(refused, outer, inner)))(
    "is warned of once or taken in silence for %s around %s",
    ([outer, inner]) =>
      Effect.map(
        warnings(apply(inner, outer)),
        (logged) => assert.strictEqual(logged.length, has(warned, outer, inner) ? 1 : 0)
      )
  )

  it.effect("is silent for the order of the documentation", () =>
    Effect.gen(function*() {
      const { adaptiveLimit, cache, circuitBreaker, deadline, rateLimit, retry } = policies
      const layer = makeWork().layer.pipe(adaptiveLimit, circuitBreaker, rateLimit, retry, deadline, cache)
      assert.deepStrictEqual(yield* warnings(layer), [])
      assert.deepStrictEqual(Traffic.policies(layer).map(({ name }) => name), [
        "adaptiveLimit",
        "circuitBreaker",
        "rateLimit",
        "retry",
        "deadline",
        "cache"
      ])
    }))

  it("is known of a layer that is given to Traffic.of", () => {
    const layer = Traffic.of(Work, makeWork().layer.pipe(policies.cache))
    assert.throws(() => layer.pipe(policies.limit), "Traffic.limit is put around Traffic.cache")
  })

  it.effect("is warned of when a layer is built that did not tell what is inside", () =>
    Effect.gen(function*() {
      class Scale extends Context.Service<Scale, number>()("test/Scale") {}
      const scale = Layer.succeed(Scale, 2)
      const hide = (layer: ReturnType<typeof makeWork>["layer"]) =>
        Traffic.of(Work, Layer.effectDiscard(Scale).pipe(Layer.provideMerge(layer), Layer.provide(scale)))
      const cached = hide(makeWork().layer.pipe(policies.cache, policies.deadline))
      const logged = yield* warnings(hide(hide(cached.pipe(policies.retry))).pipe(policies.limit))
      assert.deepStrictEqual(
        logged.map((warning) => /^test\/Work: (Traffic\.\w+ is put around Traffic\.\w+): /.exec(warning)?.[1]),
        ["cache", "deadline", "retry"].map((inner) => `Traffic.limit is put around Traffic.${inner}`)
      )
      assert.deepStrictEqual(yield* warnings(hide(cached).pipe(policies.rateLimit, policies.retry)), [
        "test/Work: Traffic.rateLimit is put around Traffic.cache: answers from the cache use up the rate. " +
        "Apply Traffic.rateLimit first and Traffic.cache after it."
      ])
    }))

  it("does not matter for methods that are not the same", () => {
    const { layer } = makeWork()
    assert.doesNotThrow(() => layer.pipe(policies.cache, Traffic.limit({ concurrency: 1, methods: ["other"] })))
    assert.doesNotThrow(() => layer.pipe(Traffic.retry({ methods: ["run"] }), Traffic.retry({ methods: ["other"] })))
  })

  it("is known of a layer that requires resources", () => {
    const layer = makeWork().layer.pipe(Resources.require({ cpu: 1 }), policies.cache)
    assert.deepStrictEqual(layer.request, { cpu: 1 })
    assert.throws(() => layer.pipe(policies.limit), "Traffic.limit is put around Traffic.cache")
  })

  it("names a method that the service does not have", () => {
    assert.throws(
      // @ts-expect-error the service has no such method
      () => makeWork().layer.pipe(Traffic.limit({ concurrency: 1, methods: ["rum"] })),
      "Traffic.limit: test/Work has no method rum; it has run, other, items"
    )
  })
})
