/** The models that are in memory: loaded at the first call, released when idle or when another needs the room. */
import { Cause, Context, Data, Duration, Effect, Layer, RcMap, Scope } from "effect"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"

type AnyFunctions = Readonly<Record<string, unknown>>

/** How the models of a service are found and kept. */
export interface Options {
  readonly service: Model.Any
  readonly lookup: (key: string) => Layer.Layer<never, unknown, unknown>
  /** Bytes that a model takes. */
  readonly memory: (key: string) => number
  /** Bytes for all of them. */
  readonly capacity: number
  readonly timeToLive: Duration.Input
}

/** One model in memory, or on its way there or out of it. */
interface Resident {
  /** The later it was looked up, the higher. */
  readonly id: number
  readonly key: string
  readonly memory: number
  /** Calls that use it. */
  calls: number
  /** Whether its memory is counted. */
  counted: boolean
  loaded: boolean
}

/**
 * A model in memory: its key, its bytes, and the calls that use it.
 *
 * @category models
 * @since 0.2.0
 */
export interface Report {
  readonly key: string
  readonly memory: number
  readonly calls: number
}

/** A call came for a model in the moment in which it was closed. */
class Stale extends Data.TaggedError("Stale") {}

/** What loads a model after those that make room for it are closed. */
interface Loader {
  readonly load: Effect.Effect<AnyFunctions, unknown, Scope.Scope>
  readonly evicted: ReadonlyArray<Resident>
}

/** By the number of the model; one is taken out when it begins. */
type Loaders = Map<number, Loader>

/** Begins with the models of a service, none of which is in memory; those that are then close with the scope. */
export const make = Effect.fnUntraced(function*(options: Options) {
  const loaders: Loaders = new Map()
  const loads = yield* RcMap.make({
    lookup: (id: number) => {
      const loader = loaders.get(id)
      loaders.delete(id)
      return loader?.load ?? Effect.fail(new Stale())
    },
    idleTimeToLive: options.timeToLive
  })
  return new Models(options, yield* Effect.context<never>(), loaders, loads)
})

export class Models {
  readonly #options: Options
  /** What the layers are built with; the caller of a model adds nothing to it. */
  readonly #context: Context.Context<never>
  readonly #loaders: Loaders
  readonly #loads: RcMap.RcMap<number, AnyFunctions, unknown>
  /** What new calls use, by key; those used least recently come first. */
  readonly #current = new Map<string, Resident>()
  #held = 0
  #next = 0

  constructor(
    options: Options,
    context: Context.Context<never>,
    loaders: Loaders,
    loads: RcMap.RcMap<number, AnyFunctions, unknown>
  ) {
    this.#options = options
    this.#context = context
    this.#loaders = loaders
    this.#loads = loads
  }

  /** The functions of a model, which stays in memory until the scope closes. */
  acquire(key: string): Effect.Effect<AnyFunctions, ServiceError.Reason, Scope.Scope> {
    const functions = Effect.flatMap(this.#hold(() => this.#use(key)), (resident) => this.#functions(resident))
    return Effect.catchTag(functions, "Stale", () => this.acquire(key))
  }

  /**
   * Loads a model again: new calls use the new one once it is there, and the old one closes after its last call. One that
   * was looked up later and is there already stays.
   */
  reload(key: string): Effect.Effect<void, ServiceError.Reason> {
    return Effect.flatMap(this.#hold(() => this.#add(key)), (fresh) =>
      Effect.flatMap(this.#functions(fresh), () => {
        const old = this.#current.get(key)
        if (old !== undefined && old.id > fresh.id) return Effect.void
        this.#current.set(key, fresh)
        return old === undefined ? Effect.void : RcMap.invalidate(this.#loads, old.id)
      })).pipe(
        Effect.catchTag("Stale", () => this.reload(key)),
        Effect.scoped
      )
  }

  get report(): ReadonlyArray<Report> {
    const loaded = Array.from(this.#current.values()).filter(({ loaded }) => loaded)
    return loaded.map(({ calls, key, memory }) => ({ key, memory, calls }))
  }

  /** Counts a call of a model until the scope closes. */
  #hold(find: () => Resident | ServiceError.Reason) {
    return Effect.acquireRelease(
      Effect.suspend(() => {
        const resident = find()
        if (ServiceError.isReason(resident)) return Effect.fail(resident)
        resident.calls++
        return Effect.succeed(resident)
      }),
      (resident) =>
        Effect.suspend(() => {
          resident.calls--
          if (resident.calls > 0) return Effect.void
          const loader = this.#loaders.get(resident.id)
          // The only call for it was interrupted before it began to load.
          if (loader !== undefined) {
            this.#loaders.delete(resident.id)
            this.#forget(resident)
            return this.#close(loader.evicted)
          }
          // No call will find it: its reload was interrupted or came too late, or it was the old one of another.
          return this.#current.get(resident.key) === resident ? Effect.void : this.#close([resident])
        })
    )
  }

  #close(residents: ReadonlyArray<Resident>): Effect.Effect<void> {
    return Effect.forEach(residents, ({ id }) => RcMap.invalidate(this.#loads, id), { discard: true })
  }

  /** Waits until a model is loaded. */
  #functions(resident: Resident): Effect.Effect<AnyFunctions, ServiceError.Reason | Stale, Scope.Scope> {
    return Effect.catchCause(RcMap.get(this.#loads, resident.id), (cause) => {
      if (Cause.hasInterrupts(cause)) return Effect.interrupt
      if (this.#current.get(resident.key) === resident) this.#current.delete(resident.key)
      return Effect.andThen(RcMap.invalidate(this.#loads, resident.id), Effect.fail(failed(resident.key, cause)))
    })
  }

  #use(key: string): Resident | ServiceError.Reason {
    const resident = this.#current.get(key) ?? this.#add(key)
    if (ServiceError.isReason(resident)) return resident
    this.#current.delete(key)
    this.#current.set(key, resident)
    return resident
  }

  /** Counts a model that is about to be loaded, or says why there is no room for it. */
  #add(key: string): Resident | ServiceError.Reason {
    const { capacity, memory: memoryOf } = this.#options
    const memory = memoryOf(key)
    if (memory > capacity) {
      return new ServiceError.Unavailable({
        detail: `${key} needs ${memory} bytes, and there are ${capacity} for all models`
      })
    }
    const evicted = this.#idleFor(key, this.#held + memory - capacity)
    if (evicted === undefined) return new ServiceError.Overloaded({ retryAfter: busyRetry })
    for (const resident of evicted) this.#forget(resident)
    const resident: Resident = { id: this.#next++, key, memory, calls: 0, counted: true, loaded: false }
    this.#held += memory
    this.#loaders.set(resident.id, { load: this.#load(resident, evicted), evicted })
    return resident
  }

  /** The models used least recently that free so many bytes; none in use, and none of that key, is among them. */
  #idleFor(key: string, bytes: number): ReadonlyArray<Resident> | undefined {
    const idle: Array<Resident> = []
    let missing = bytes
    for (const resident of this.#current.values()) {
      if (missing <= 0) break
      if (resident.key === key || resident.calls > 0) continue
      idle.push(resident)
      missing -= resident.memory
    }
    return missing <= 0 ? idle : undefined
  }

  /** Builds the layer of a model in the scope of the model, after those that make room for it are closed. */
  #load(resident: Resident, evicted: ReadonlyArray<Resident>): Loader["load"] {
    const { lookup, service } = this.#options
    const load = Effect.gen({ self: this }, function*() {
      const scope = yield* Effect.scope
      yield* Scope.addFinalizer(scope, Effect.sync(() => this.#forget(resident)))
      yield* this.#close(evicted)
      // What the layer needs is in the type of the layer that it is looked up for.
      const built = yield* Layer.buildWithMemoMap(
        lookup(resident.key),
        Layer.makeMemoMapUnsafe(),
        scope
      ) as Effect.Effect<Context.Context<never>, unknown>
      resident.loaded = true
      // Runs before the model closes: calls that come then load it again, and its memory counts until it is closed.
      yield* Scope.addFinalizer(scope, Effect.sync(() => this.#retire(resident)))
      // A service is a record of functions.
      return Context.getUnsafe(built, service) as AnyFunctions
    })
    return Effect.updateContext(
      load,
      (caller: Context.Context<Scope.Scope>) =>
        Context.add(this.#context, Scope.Scope, Context.get(caller, Scope.Scope))
    )
  }

  #retire(resident: Resident): void {
    resident.loaded = false
    if (this.#current.get(resident.key) === resident) this.#current.delete(resident.key)
  }

  #forget(resident: Resident): void {
    this.#retire(resident)
    if (!resident.counted) return
    resident.counted = false
    this.#held -= resident.memory
  }
}

/** How long a caller should wait where all models are in use. */
const busyRetry = Duration.seconds(1)

const failed = (key: string, cause: Cause.Cause<unknown>): ServiceError.Reason | Stale => {
  const error = Cause.squash(cause)
  if (error instanceof Stale || ServiceError.isReason(error)) return error
  return new ServiceError.Unavailable({
    detail: `${key} could not be loaded: ${error instanceof Error ? error.message : String(error)}`
  })
}
