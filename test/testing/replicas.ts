/** A location that is made of several implementations in this process, one of which can be ended without warning. */
import { ServiceError } from "chorale"
import { Laws } from "chorale/testing"
import { Context, Deferred, Effect, Layer, type Scope, Stream } from "effect"

interface Replica {
  readonly probe: Laws.Probe["Service"]
  readonly ended: Deferred.Deferred<never, ServiceError.Unavailable>
}

const start = Effect.fnUntraced(function*(scope: Scope.Scope) {
  const context = yield* Layer.buildWithScope(Layer.fresh(Laws.layerProbe()), scope)
  const ended = yield* Deferred.make<never, ServiceError.Unavailable>()
  const replica: Replica = { probe: Context.get(context, Laws.Probe), ended }
  return replica
})

type Method = (payload: unknown) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/** Calls the replicas in turn; the methods of a probe by name, whose types `Probe` states. */
const inTurn = (replicas: Array<Replica>): Laws.Probe["Service"] => {
  let turn = 0
  const methods = Array.from(Laws.Probe.methods.values(), ({ name, stream }) => {
    const call: Method = (payload) => {
      const { ended, probe } = replicas[turn++ % replicas.length]!
      const method = (probe as unknown as Record<string, Method>)[name]!
      const down = Effect.mapError(
        Deferred.await(ended),
        (reason) => new ServiceError.ServiceError({ service: Laws.Probe.key, method: name, reason })
      )
      return stream
        ? Stream.interruptWhen(method(payload) as Stream.Stream<unknown, unknown>, down)
        : Effect.raceFirst(down, method(payload) as Effect.Effect<unknown, unknown>)
    }
    return [name, call] as const
  })
  return Object.fromEntries(methods) as unknown as Laws.Probe["Service"]
}

/** What a test may do wrong in the place of `kill`. */
export interface Ending {
  readonly replicas: Array<Replica>
  readonly end: (replica: Replica) => Effect.Effect<void>
  readonly startAgain: (replica: Replica) => Effect.Effect<void>
}

const justEnds = ({ end, replicas, startAgain }: Ending): Effect.Effect<void> =>
  Effect.suspend(() => {
    const replica = replicas[0]!
    return Effect.andThen(startAgain(replica), end(replica))
  })

export const replicated = (
  count: number,
  kill: (ending: Ending) => Effect.Effect<void> = justEnds
): Effect.Effect<Laws.Location, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const replicas = yield* Effect.replicateEffect(start(scope), count)
    const probe = Layer.succeed(Laws.Probe, inTurn(replicas))
    const down = new ServiceError.Unavailable({ detail: "it was ended" })
    return {
      ...Laws.local(Layer.provideMerge(Laws.layerRelay, probe)),
      name: `${count} replicas`,
      replicas: count,
      kill: () =>
        kill({
          replicas,
          end: ({ ended }) => Effect.asVoid(Deferred.fail(ended, down)),
          startAgain: (replica) =>
            Effect.map(start(scope), (next) => {
              replicas[replicas.indexOf(replica)] = next
            })
        })
    }
  })
