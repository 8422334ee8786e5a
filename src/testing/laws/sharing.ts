/** Law 8: a service that two others need. */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Probe } from "../Probe.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Sightings from "./sightings.ts"

const law = lawsOf(8)

/** Two services that need `Probe`, as two models need a third. */
class Left extends Context.Service<Left, Probe["Service"]>()("chorale/testing/Left") {}
class Right extends Context.Service<Right, Probe["Service"]>()("chorale/testing/Right") {}

const isBuiltOnce = Effect.fnUntraced(function*(place: Place) {
  const probe = place.location.connect(Probe)
  const both = Layer.merge(
    Layer.provide(Layer.effect(Left, Probe), probe),
    Layer.provide(Layer.effect(Right, Probe), probe)
  )
  const context = yield* Layer.build(both)
  const id = yield* Expect.newId
  const seenBy = (side: Probe["Service"]) =>
    Effect.map(Sightings.all(place, id, side), ({ replicas }) => Array.from(replicas).sort())
  const left = yield* seenBy(Context.get(context, Left))
  yield* Expect.same(place.location.replicas ?? 1, left.length, "the number of implementations that answer")
  yield* Expect.same(left, yield* seenBy(Context.get(context, Right)), "the implementation that the other service has")
})

/** A service says goodbye to its dependency when it is released: the dependency has to be there for it. */
const isReleasedAfterItsUsers = Effect.fnUntraced(function*(place: Place) {
  let goodbye: Exit.Exit<unknown, unknown> | undefined
  const user = Layer.effectDiscard(Effect.gen(function*() {
    const probe = yield* Probe
    yield* probe.double({ n: 1 })
    yield* Effect.addFinalizer(() =>
      Effect.map(Effect.exit(Expect.endsSoon("the last call")(probe.double({ n: 21 }))), (exit) => {
        goodbye = exit
      })
    )
  }))
  const scope = yield* Scope.make()
  yield* Layer.buildWithScope(Layer.provide(user, place.location.connect(Probe)), scope)
  yield* Scope.close(scope, Exit.void)
  const exit = goodbye ?? Exit.void
  yield* Expect.holds(
    Exit.isSuccess(exit) && exit.value === 42,
    "a service to answer while its user is released",
    () => Expect.describe(exit)
  )
})

export const laws: ReadonlyArray<Law> = [
  law("two services that need a third have the same one", isBuiltOnce),
  law("a service answers until the last of its users is released", isReleasedAfterItsUsers)
]
