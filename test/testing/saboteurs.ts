/** For each law, places that break it: a law that no place can break says nothing. */
import { Deadline, ServiceError, Tensor } from "chorale"
import { Laws } from "chorale/testing"
import { Deferred, Duration, Effect, Fiber, Layer, type Scope, Semaphore, Stream } from "effect"
import { replicated } from "./replicas.ts"

type Probe = Laws.Probe["Service"]
type Relay = Laws.Relay["Service"]
type Broken = Effect.Effect<Laws.Place, unknown, Scope.Scope>

const localPlace: Broken = Effect.suspend(() => Laws.open(Laws.local(Laws.layer())))

const probe = (patch: (probe: Probe) => Partial<Probe>): Broken =>
  Effect.map(localPlace, (place) => ({ ...place, probe: { ...place.probe, ...patch(place.probe) } }))

const relay = (patch: (relay: Relay) => Partial<Relay>): Broken =>
  Effect.map(localPlace, (place) => ({ ...place, relay: { ...place.relay, ...patch(place.relay) } }))

const location = (patch: (place: Laws.Place) => Partial<Laws.Location>): Broken =>
  Effect.map(localPlace, (place) => ({ ...place, location: { ...place.location, ...patch(place) } }))

/** Goes on when its caller has gone. */
const detached = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(Effect.forkDetach(call), Fiber.join)

const withoutDeadline = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.provideService(call, Deadline.Current, undefined)

/** Tells its caller in time, and goes on. */
const abandoned = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.timeoutOrElse(detached(withoutDeadline(call)), { duration: "200 millis", orElse: () => late })

const failure = (reason: ServiceError.Reason, service: string = Laws.Probe.key) =>
  new ServiceError.ServiceError({ service, method: "greet", reason })

const late = Effect.fail(failure(new ServiceError.DeadlineExceeded({ budget: Duration.millis(500) })))
const invalid = Effect.fail(failure(new ServiceError.InvalidPayload({ issue: "name" })))
const mismatch = Effect.fail(failure(new ServiceError.ContractMismatch({ detail: "it differs" })))
const unavailable = failure(new ServiceError.Unavailable({ detail: "gone" }))

/** Satisfies any service with methods that all do the same. */
const always = (answer: Effect.Effect<unknown, unknown>): Laws.Connect => (service) =>
  Layer.succeed(
    service,
    // A client of any contract: each of its methods, whatever its type, answers the same.
    Object.fromEntries(Array.from(service.methods.values(), ({ name, stream }) => [
      name,
      () => stream ? Stream.fromEffect(answer) : answer
    ])) as never
  )

const skewed = (answer: Effect.Effect<unknown, unknown>) => location(() => ({ connect: always(answer) }))
const skews = [
  skewed(Effect.succeed("an answer")),
  skewed(Effect.die("a defect")),
  skewed(Effect.never),
  skewed(invalid)
]

const oneAtATime = Semaphore.makeUnsafe

const refused = new Laws.Refused({
  reason: "another",
  at: new Date(0),
  limits: [],
  cause: { code: 0n, evidence: new Uint8Array(0) }
})

const sabotagedValues: Record<string, ReadonlyArray<Broken>> = {
  "tensors of every dtype come back as they were": [
    probe(({ dtypes }) => ({
      dtypes: (sent) =>
        Effect.map(dtypes(sent), (answer) => ({
          ...answer,
          float64: { ...answer.float64, data: answer.float64.data.map(Math.fround) }
        }))
    })),
    probe(({ dtypes }) => ({
      dtypes: (sent) =>
        Effect.map(dtypes(sent), (answer) => ({
          ...answer,
          bool: { ...answer.bool, data: answer.bool.data.map((x) => 255 * x) }
        }))
    }))
  ],
  "tensors keep NaN, -0, the infinities and the largest integers": [
    probe(({ dtypes }) => ({
      dtypes: (sent) =>
        Effect.map(dtypes(sent), (answer) => ({
          ...answer,
          float64: { ...answer.float64, data: answer.float64.data.map((x) => x + 0) }
        }))
    })),
    probe(({ dtypes }) => ({
      dtypes: (sent) =>
        Effect.map(dtypes(sent), (answer) => ({
          ...answer,
          uint64: { ...answer.uint64, data: answer.uint64.data.map((x) => BigInt(Number(x))) }
        }))
    }))
  ],
  "tensors of every rank come back as they were": [
    probe(({ ranks }) => ({
      ranks: (sent) =>
        Effect.map(ranks(sent), (answer) => ({
          ...answer,
          cube: { ...answer.cube, shape: [1, answer.cube.shape[1], 2] as const }
        }))
    }))
  ],
  "tensors of no elements come back with their sizes": [
    probe(({ ranks }) => ({
      ranks: (sent) =>
        Effect.map(ranks(sent), (answer) => ({
          ...answer,
          cube: answer.cube.data.length === 0 ? Tensor.zeros("uint8", [0, 0, 0]) : answer.cube
        }))
    }))
  ],
  "numbers, bigints, bytes, dates, options, unions and empty arrays come back as they were": [
    probe(({ values }) => ({
      values: (sent) => Effect.map(values(sent), (answer) => ({ ...answer, bytes: answer.bytes.map(Buffer.from) }))
    })),
    relay(({ values }) => ({
      values: (sent) => Effect.map(values(sent), (answer) => ({ ...answer, dates: answer.dates.slice(1) }))
    }))
  ],
  "numbers are NaN, -0 and infinite where they were": [
    probe(({ values }) => ({
      values: (sent) =>
        Effect.map(values(sent), (answer) => ({ ...answer, numbers: answer.numbers.map((x) => x === 0 ? 0 : x) }))
    }))
  ],
  "a payload is left as it was, and may be in several calls at once": [
    probe(({ dtypes }) => ({
      dtypes: (sent) =>
        Effect.tap(dtypes(sent), () =>
          Effect.sync(() => {
            sent.float32.data[5] = 1
          }))
    }))
  ],
  "answers stay what they are while others arrive": [
    Effect.suspend(() => {
      const shared = new Uint8Array(1 << 16)
      return probe(({ bytes }) => ({
        bytes: (sent) =>
          Effect.map(bytes(sent), (answer) => {
            shared.set(answer)
            return shared.subarray(0, answer.byteLength)
          })
      }))
    })
  ]
}

const sabotagedFailures: Record<string, ReadonlyArray<Broken>> = {
  "an error arrives as its class with all fields, from one and two hops away": [
    relay(({ refuse }) => ({ refuse: (sent) => Effect.catchTag(refuse(sent), "Refused", () => Effect.fail(refused)) })),
    probe(({ refuse }) => ({ refuse: (sent) => Effect.catchTag(refuse(sent), "Exhausted", Effect.die) })),
    probe(({ refuse }) => ({
      refuse: (sent) => Effect.mapError(refuse(sent), (error) => ({ ...error, message: error.message }) as typeof error)
    }))
  ],
  "an error keeps NaN, -0 and infinities in its fields": [
    relay(({ refuse }) => ({
      refuse: (sent) =>
        Effect.mapError(
          refuse(sent),
          (error) => error._tag === "Refused" ? new Laws.Refused({ ...error, limits: [0, NaN, Infinity] }) : error
        )
    }))
  ],
  "the error of a stream arrives as its class with all fields, from one and two hops away": [
    relay(({ countAndRefuse }) => ({
      countAndRefuse: (sent) => Stream.mapError(countAndRefuse(sent), () => new Laws.Exhausted())
    }))
  ],
  "a ServiceError names the service where it began, from one and two hops away": [
    relay(({ shed }) => ({
      shed: () => Effect.mapError(shed(), ({ reason }) => failure(reason, Laws.Relay.key))
    })),
    probe(() => ({ shed: () => Effect.fail(unavailable) }))
  ],
  "a defect arrives as a defect with its message, from one and two hops away": [
    relay(() => ({ fault: () => Effect.die(new Error("an unexpected error")) })),
    probe(() => ({ fault: () => Effect.fail(unavailable) }))
  ],
  "a defect in a stream arrives after the items before it": [
    probe(({ countAndFault }) => ({ countAndFault: (sent) => Stream.drop(countAndFault(sent), 1) }))
  ],
  "calls beside a defect go on, and the replica lives on": [
    Effect.suspend(() => {
      const died = Deferred.makeUnsafe<void>()
      return probe(({ fault, wait }) => ({
        wait: (sent) => Effect.raceFirst(wait(sent), Deferred.await(died)),
        fault: (sent) => Effect.andThen(Deferred.succeed(died, undefined), fault(sent))
      }))
    }),
    Effect.suspend(() => {
      let lives = 0
      return probe(({ fault, observe }) => ({
        observe: (sent) => Effect.map(observe(sent), (seen) => ({ ...seen, replica: `${seen.replica}-${lives}` })),
        fault: (sent) => Effect.suspend(() => fault({ ...sent, message: String(++lives) }))
      }))
    })
  ],
  "a result that the contract refuses is a defect of its call, never a value": [
    localPlace,
    probe(() => ({ misfit: () => Effect.never }))
  ]
}

const sabotagedInterruption: Record<string, ReadonlyArray<Broken>> = {
  "interrupting a call interrupts its handler": [probe(({ wait }) => ({ wait: (sent) => detached(wait(sent)) }))],
  "interrupting a call interrupts the handler two hops away": [
    relay(({ wait }) => ({ wait: (sent) => detached(wait(sent)) }))
  ],
  "the siblings of a failed member of Effect.all are interrupted where they run": [
    probe(({ wait }) => ({ wait: (sent) => detached(wait(sent)) }))
  ],
  "a call that is timed out is interrupted where it runs": [
    probe(({ wait }) => ({ wait: (sent) => detached(wait(sent)) })),
    probe(({ wait }) => ({
      wait: (sent) => Effect.uninterruptible(Effect.timeoutOption(wait(sent), "20 seconds")) as never
    }))
  ],
  "interrupting the reader of a stream stops its producer": [
    probe(({ drip }) => ({
      drip: (sent) => Stream.unwrap(Effect.as(Effect.forkDetach(Stream.runDrain(drip(sent))), Stream.never))
    }))
  ],
  "interrupting some calls leaves the others alone": [
    Effect.suspend(() => {
      const cut = Deferred.makeUnsafe<void>()
      return probe(({ rest }) => ({
        rest: (sent) =>
          Effect.onInterrupt(
            Effect.raceFirst(rest(sent), Deferred.await(cut)),
            () => Deferred.succeed(cut, undefined)
          )
      }))
    })
  ]
}

const sabotagedDeadlines: Record<string, ReadonlyArray<Broken>> = {
  "a handler sees what is left of the deadline of its caller": [
    probe(({ remaining }) => ({ remaining: (sent) => withoutDeadline(remaining(sent)) })),
    probe(({ remaining }) => ({ remaining: (sent) => Effect.map(remaining(sent), (left) => left && left + 10_000) })),
    probe(({ remaining }) => ({ remaining: (sent) => Effect.map(remaining(sent), (left) => left ?? 60_000) }))
  ],
  "the second hop has no more time than the first": [
    relay(({ remaining }) => ({
      remaining: (sent) => Effect.map(remaining(sent), ({ here }) => ({ here, there: (here ?? 0) + 1 }))
    })),
    relay(({ remaining }) => ({
      remaining: (sent) => Effect.map(remaining(sent), ({ here }) => ({ here, there: null }))
    }))
  ],
  "a call whose time is spent is refused before its handler starts": [
    probe(({ remaining }) => ({
      remaining: (sent) => Effect.andThen(withoutDeadline(remaining(sent)), remaining(sent))
    })),
    relay(({ remaining }) => ({ remaining: (sent) => withoutDeadline(remaining(sent)) }))
  ],
  "a handler that is late is interrupted, over one hop and two, and its caller has DeadlineExceeded": [
    probe(({ wait }) => ({ wait: (sent) => withoutDeadline(wait(sent)) })),
    probe(({ wait }) => ({
      wait: (sent) => abandoned(wait(sent))
    })),
    relay(({ wait }) => ({ wait: (sent) => withoutDeadline(wait(sent)) })),
    relay(({ wait }) => ({
      wait: (sent) => abandoned(wait(sent))
    }))
  ],
  "a stream that is late is closed, and its reader has DeadlineExceeded": [
    probe(({ drip }) => ({ drip: (sent) => Stream.provideService(drip(sent), Deadline.Current, undefined) })),
    probe(() => ({ drip: () => Stream.fail(failure(new ServiceError.Unavailable({ detail: "late" }))) }))
  ],
  "the time in a queue counts": [
    probe(({ rest }) => ({ turn: rest })),
    probe(({ turn }) => ({ turn: (sent) => withoutDeadline(turn(sent)) }))
  ],
  "a call within its time is answered": [probe(() => ({ rest: () => late }))]
}

const sabotagedStreams: Record<string, ReadonlyArray<Broken>> = {
  "a stream delivers exactly its items in order, over one hop and two": [
    probe(({ count }) => ({ count: (sent) => Stream.filter(count(sent), (n) => n !== 500) })),
    probe(({ count }) => ({
      count: (sent) => Stream.flatMap(count(sent), (n) => Stream.make(...n === 7 ? [7, 7] : [n]))
    })),
    relay(({ count }) => ({ count: (sent) => Stream.map(count(sent), (n) => n === 1 ? 2 : n === 2 ? 1 : n) }))
  ],
  "a stream without items ends": [
    probe(({ flood }) => ({ flood: (sent) => Stream.concat(flood(sent), Stream.never) }))
  ],
  "an item arrives when it is there, not when the stream ends": [
    probe(({ drip }) => ({
      drip: (sent) => Stream.unwrap(Effect.map(Stream.runCollect(drip(sent)), Stream.fromIterable))
    }))
  ],
  "the error of a stream arrives typed, after all items, over one hop and two": [
    probe(({ countAndRefuse }) => ({ countAndRefuse: (sent) => Stream.drop(countAndRefuse(sent), 1) })),
    relay(({ countAndRefuse }) => ({ countAndRefuse: (sent) => Stream.mapError(countAndRefuse(sent), () => refused) })),
    relay(({ countAndRefuse }) => ({ countAndRefuse: (sent) => Stream.orDie(countAndRefuse(sent)) }))
  ],
  "closing a stream early stops its producer, over one hop and two": [
    probe(({ count, drip }) => ({
      count: (sent) =>
        Stream.unwrap(Effect.as(Effect.forkDetach(Stream.runDrain(drip(sent))), count({ id: "another", to: sent.to })))
    }))
  ],
  "a producer waits for a slow reader": [
    probe(({ flood }) => ({ flood: (sent) => Stream.buffer(flood(sent), { capacity: "unbounded" }) }))
  ],
  "a stream of one service feeds another": [
    probe(() => ({ double: () => Effect.succeed(2) })),
    relay(({ count }) => ({ count: (sent) => Stream.take(count(sent), 99) }))
  ],
  "streams at the same time do not mix": [
    Effect.suspend(() => {
      let streams = 0
      return probe(({ count }) => ({
        count: (sent) => Stream.filter(count(sent), (n) => n < 40 || ++streams % 19 > 0)
      }))
    })
  ]
}

const sabotagedConcurrency: Record<string, ReadonlyArray<Broken>> = {
  "calls in flight overlap": [
    Effect.suspend(() => {
      const queue = oneAtATime(1)
      return probe(({ rest }) => ({ rest: (sent) => queue.withPermit(rest(sent)) }))
    })
  ],
  "a fast call passes a slow one": [
    Effect.suspend(() => {
      const queue = oneAtATime(1)
      return probe(({ double, wait }) => ({
        wait: (sent) => queue.withPermit(wait(sent)),
        double: (sent) => queue.withPermit(double(sent))
      }))
    })
  ],
  "each of many calls has an answer, its own": [
    probe(({ double }) => ({ double: (sent) => sent.n === 1999 ? Effect.fail(unavailable) : double(sent) })),
    probe(({ double }) => ({ double: (sent) => double({ n: sent.n === 3 ? 4 : sent.n }) }))
  ],
  "a call over the limit is Overloaded at once, with retryAfter, and those within it go on": [
    probe(({ hold }) => ({ hold: (sent) => Effect.catch(hold(sent), () => Effect.never) })),
    probe(({ hold }) => ({
      hold: (sent) =>
        Effect.mapError(hold(sent), () => failure(new ServiceError.Overloaded({ retryAfter: Duration.zero })))
    })),
    probe(({ hold }) => ({ hold: (sent) => Effect.mapError(hold(sent), () => unavailable) })),
    Effect.suspend(() => {
      let calls = 0
      return probe(({ hold, shed }) => ({ hold: (sent) => Effect.suspend(() => ++calls > 2 ? shed() : hold(sent)) }))
    })
  ],
  "a place that was full takes calls when others have ended": [
    probe(({ hold }) => ({ hold: (sent) => detached(hold(sent)) })),
    Effect.suspend(() => {
      let calls = 0
      return probe(({ hold, shed }) => ({
        hold: (sent) => Effect.suspend(() => ++calls > Laws.holdCapacity ? shed() : hold(sent))
      }))
    })
  ]
}

const sabotagedSharing: Record<string, ReadonlyArray<Broken>> = {
  "two services that need a third have the same one": [
    location(({ location }) => ({ connect: (service) => Layer.fresh(location.connect(service)) })),
    location(() => ({ replicas: 2 }))
  ],
  "a service answers until the last of its users is released": [
    location(() => {
      let calls = 0
      const double = () => ++calls === 1 ? Effect.succeed(42) : Effect.fail(unavailable)
      return { connect: always(Effect.suspend(double)) }
    }),
    location(() => {
      let calls = 0
      return { connect: always(Effect.suspend(() => ++calls === 1 ? Effect.succeed(42) : Effect.never)) }
    })
  ]
}

const sabotagedTraces: Record<string, ReadonlyArray<Broken>> = {
  "the span of a handler is below the span of its caller, in one trace": [
    probe(({ span }) => ({ span: () => Effect.promise(() => Effect.runPromise(span())) })),
    probe(({ span }) => ({ span: () => Effect.map(span(), (seen) => ({ ...seen, above: [] })) })),
    probe(({ span }) => ({
      span: () => Effect.map(span(), (seen) => ({ ...seen, above: ["another", ...seen.above] }))
    })),
    probe(({ span }) => ({ span: () => Effect.map(span(), (seen) => ({ ...seen, name: "span" })) }))
  ],
  "two hops are one trace, and the second hop is below the first": [
    relay(({ span }) => ({
      span: () => Effect.map(span(), (seen) => ({ ...seen, there: { ...seen.there, traceId: "another" } }))
    })),
    relay(({ span }) => ({
      span: () => Effect.map(span(), (seen) => ({ ...seen, there: { ...seen.there, above: seen.here.above } }))
    }))
  ],
  "a handler is sampled as its caller is": [
    probe(({ span }) => ({ span: () => Effect.map(span(), (seen) => ({ ...seen, sampled: true })) })),
    probe(({ span }) => ({ span: () => Effect.map(span(), (seen) => ({ ...seen, sampled: false })) }))
  ],
  "calls at the same time keep their traces apart": [
    probe(({ span }) => {
      const first = Effect.runSync(Effect.cached(span()))
      return { span: () => first }
    })
  ]
}

const sabotagedLimits: Record<string, ReadonlyArray<Broken>> = {
  "a payload and an answer of more than 16 MiB pass": [
    probe(({ bytes }) => ({ bytes: (sent) => sent.body.byteLength > 1 << 24 ? Effect.die("too large") : bytes(sent) })),
    probe(({ bytes }) => ({ bytes: (sent) => Effect.map(bytes(sent), (answer) => answer.slice().fill(0, -1)) }))
  ],
  "an answer of more than 16 MiB to a small payload passes": [
    probe(({ grow }) => ({ grow: ({ length }) => grow({ length: Math.min(length, 1 << 24) }) }))
  ],
  "a payload over the limit is InvalidPayload and disturbs no other call": [
    location(() => ({ maxPayload: 1024 })),
    Effect.map(probe(() => ({ bytes: () => Effect.never })), limited),
    Effect.map(probe(() => ({ bytes: () => invalid, double: () => Effect.fail(unavailable) })), limited)
  ],
  "an answer over the limit disturbs no other call": [
    Effect.map(probe(() => ({ grow: () => Effect.never })), limited),
    Effect.map(probe(() => ({ double: () => Effect.fail(unavailable) })), limited)
  ]
}

function limited(place: Laws.Place): Laws.Place {
  return { ...place, location: { ...place.location, maxPayload: 1024 } }
}

const sabotagedContracts: Record<string, ReadonlyArray<Broken>> = {
  "a payload of another type is ContractMismatch, naming the method": [...skews, skewed(Effect.fail(unavailable))],
  // `mismatch` names another method than the one that is called.
  "a result of another type is ContractMismatch, naming the method": [...skews, skewed(mismatch)],
  "a method that the replica lacks is ContractMismatch, naming the method": [...skews, skewed(mismatch)],
  "a stream where the replica has none is ContractMismatch, naming the method": [...skews, skewed(mismatch)],
  "a contract with an optional field and a method more is served": [skewed(mismatch), skewed(Effect.never)],
  "a caller with another contract disturbs no other": [
    Effect.suspend(() => {
      let broken = false
      const breaks = Effect.suspend(() => {
        broken = true
        return mismatch
      })
      const place = probe(({ double }) => ({ double: (sent) => broken ? Effect.die("broken") : double(sent) }))
      return Effect.map(place, (place) => ({ ...place, location: { ...place.location, connect: always(breaks) } }))
    })
  ],
  "a payload that does not fit is InvalidPayload before its handler starts": [
    probe(({ greet }) => ({ greet: (sent) => greet({ ...sent, name: sent.name || "x" }) })),
    probe(({ greet }) => ({
      greet: (sent) => Effect.andThen(greet({ ...sent, name: "x" }), greet(sent))
    })),
    probe(() => ({ greet: () => Effect.die("a SchemaError") }))
  ],
  "the payload of a stream that does not fit is InvalidPayload before its producer starts": [
    probe(() => ({ count: () => Stream.die("a SchemaError") })),
    probe(({ count }) => ({
      count: (sent) => Stream.concat(Stream.drain(count({ ...sent, to: 1 })), Stream.fromEffect(invalid))
    }))
  ],
  "a tensor that does not fit is InvalidPayload before its handler starts": [
    probe(() => ({ pair: () => invalid })),
    probe(({ greet, pair }) => ({
      pair: (sent) => Effect.andThen(greet({ id: sent.id, name: "x" }), pair(sent))
    })),
    probe(() => ({ pair: ({ two }) => Effect.succeed(two) }))
  ],
  "a payload that only the replica refuses does not reach its handler": [
    ...skews.slice(0, 3),
    location(({ probe }) => ({
      connect: (service) =>
        Layer.succeed(
          service,
          {
            greet: ({ id }: { readonly id: string }) => Effect.andThen(probe.greet({ id, name: "x" }), invalid)
          } as never
        )
    }))
  ],
  "a tensor that only the replica refuses does not reach its handler": [
    ...skews.slice(0, 3),
    location(({ probe }) => ({
      connect: (service) =>
        Layer.succeed(
          service,
          {
            pair: ({ id }: { readonly id: string }) => Effect.andThen(probe.greet({ id, name: "x" }), invalid)
          } as never
        )
    }))
  ],
  "an address where nothing listens is Unavailable": [
    location(() => ({ refusing: always(Effect.never) })),
    location(() => ({ refusing: always(Effect.die("ECONNREFUSED")) })),
    location(() => ({ refusing: always(late) }))
  ],
  "an address that says nothing is Unavailable": [
    location(() => ({ silent: always(Effect.never) })),
    location(() => ({ silent: always(Effect.succeed(2)) }))
  ]
}

const sabotagedReplicas: Record<string, ReadonlyArray<Broken>> = {
  "calls on a replica that dies are Unavailable, others go on, and the next call succeeds": [
    // Nothing ends.
    Effect.flatMap(replicated(2, () => Effect.void), Laws.open),
    // All end.
    Effect.flatMap(
      replicated(
        2,
        ({ end, replicas, startAgain }) =>
          Effect.forEach(replicas.slice(), (replica) => Effect.andThen(startAgain(replica), end(replica)), {
            discard: true
          })
      ),
      Laws.open
    ),
    // What is lost is no failure of the service.
    Effect.flatMap(
      replicated(2, ({ replicas, startAgain }) =>
        Effect.suspend(() => {
          const replica = replicas[0]!
          return Effect.andThen(startAgain(replica), Deferred.die(replica.ended, new Error("socket hang up")))
        })),
      Laws.open
    ),
    // The next call goes to the replica that is not there.
    Effect.flatMap(replicated(2, ({ end, replicas }) => Effect.suspend(() => end(replicas[0]!))), Laws.open),
    Effect.flatMap(replicated(1, ({ end, replicas }) => Effect.suspend(() => end(replicas[0]!))), Laws.open)
  ],
  "a replica that died is there again": [
    Effect.flatMap(replicated(2, ({ end, replicas }) => Effect.suspend(() => end(replicas[0]!))), Laws.open),
    Effect.flatMap(replicated(2, () => Effect.void), Laws.open)
  ]
}

/** The places that break a law, by the name of the law. */
export const saboteurs: Readonly<Record<string, ReadonlyArray<Broken>>> = {
  ...sabotagedValues,
  ...sabotagedFailures,
  ...sabotagedInterruption,
  ...sabotagedDeadlines,
  ...sabotagedStreams,
  ...sabotagedConcurrency,
  ...sabotagedSharing,
  ...sabotagedTraces,
  ...sabotagedLimits,
  ...sabotagedContracts,
  ...sabotagedReplicas
}
