/**
 * Typed clients for applications that are no services themselves.
 *
 * A web page or a back end knows the contracts and the address of a server, and
 * calls it: with Effect by the layers of `layer`, without it by the promises of
 * `promise`. Contracts and clients import nothing of Node, so both work in a
 * browser.
 *
 * @since 0.2.0
 */
import { Context, Duration, Effect, Layer, ManagedRuntime, type Redacted, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import type { Rpc } from "effect/rpc"
import * as Deadline from "./Deadline.ts"
import type * as Model from "./Model.ts"
import * as Remote from "./Remote.ts"
import * as ServiceError from "./ServiceError.ts"

/**
 * The server that a client calls.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options {
  /** The base of a server that runs `Serve.http`, without a path of a method. */
  readonly url: string
  /** What the server asks for as `authorization: Bearer`. */
  readonly token?: Redacted.Redacted | undefined
}

/**
 * Satisfies services with one server, over the `fetch` of the platform.
 *
 * It is `Remote.layerHttp` for each of them. Another `fetch` is taken from `FetchHttpClient.Fetch`.
 *
 * **Example** (A program that calls two services of one server)
 *
 * ```ts
 * import { Client, Model } from "chorale"
 * import { Effect, Redacted, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 * class Writer extends Model.Service<Writer>()("Writer", [Rpc.make("write", { payload: { text: Schema.String } })]) {}
 *
 * export const program = Effect.gen(function*() {
 *   const reader = yield* Reader
 *   const writer = yield* Writer
 *   yield* writer.write({ text: yield* reader.read() })
 * }).pipe(
 *   Effect.provide(Client.layer([Reader, Writer], { url: "http://127.0.0.1:3000", token: Redacted.make("secret") }))
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = <const Services extends readonly [Model.Any, ...ReadonlyArray<Model.Any>]>(
  services: Services,
  options: Options
): Layer.Layer<Model.Identifier<Services[number]>> => {
  const [first, ...others] = services
  const { url } = options
  return Layer.mergeAll(remote(first, url), ...others.map((service) => remote(service, url))).pipe(
    Layer.provide(authorized(options.token)),
    // Each layer satisfies the service it was made of; their types are erased in the list.
    Layer.provide(FetchHttpClient.layer)
  ) as Layer.Layer<Model.Identifier<Services[number]>>
}

/**
 * Services by the names under which a program wants to have them.
 *
 * @category models
 * @since 0.2.0
 */
export type Services = Readonly<Record<string, Model.Any>>

/**
 * A deployment, as far as a client knows it: the services of its units, by the names of the units.
 *
 * @category models
 * @since 0.3.0
 */
export interface Deployed {
  readonly units: Readonly<Record<string, { readonly service: Model.Any }>>
}

/**
 * The services that a client is made of, by name: those that were given, or those of the units of a deployment.
 *
 * @category utility types
 * @since 0.3.0
 */
export type ServicesOf<Given extends Services | Deployed> = Given extends Deployed
  ? { readonly [Name in keyof Given["units"]]: Given["units"][Name]["service"] }
  : Given extends Services ? Given
  : never

/**
 * The functions of services by name, as Effects and Streams.
 *
 * @category models
 * @since 0.2.0
 */
export type Client<S extends Services> = { readonly [Name in keyof S]: Context.Service.Shape<S[Name]> }

/**
 * Makes the functions of services on one server, for as long as the scope is open.
 *
 * In place of services it may be given a deployment, whose units are called by their names.
 *
 * **Example** (One call)
 *
 * ```ts
 * import { Client, Model } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const program = Effect.scoped(Effect.gen(function*() {
 *   const client = yield* Client.make({ reader: Reader }, { url: "http://127.0.0.1:3000" })
 *   return yield* client.reader.read()
 * }))
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = <const Given extends Services | Deployed>(given: Given, options: Options) => {
  const services = servicesOf(given)
  return Effect.map(
    Layer.build(layerOf(services, options)),
    (context) =>
      // What is in the context under the key of a service has its type.
      mapRecord(services, (service) => Context.getUnsafe(context, service)) as Client<ServicesOf<Given>>
  )
}

/**
 * What one call with promises may be told beside its payload.
 *
 * @category models
 * @since 0.2.0
 */
export interface CallOptions {
  /** Interrupts the call, here and in the service; its promise rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
  /** The time the call has, everywhere it goes; one that is not done by then is `DeadlineExceeded`. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * A method as a function without Effect: a promise of its result, or its items one after another.
 *
 * @category models
 * @since 0.2.0
 */
export type PromiseMethod<Method> = Method extends
  (payload: infer Payload) => Stream.Stream<infer Item, infer _E, infer _R>
  ? (payload: Payload, options?: CallOptions) => AsyncIterable<Item>
  : Method extends (payload: infer Payload) => Effect.Effect<infer Result, infer _E, infer _R>
    ? (payload: Payload, options?: CallOptions) => Promise<Result>
  : never

/**
 * The functions of services by name, as promises and async iterables, and `close`.
 *
 * @category models
 * @since 0.2.0
 */
export type PromiseClient<S extends Services> =
  & {
    readonly [Name in keyof S]: {
      readonly [Method in keyof Context.Service.Shape<S[Name]>]: PromiseMethod<Context.Service.Shape<S[Name]>[Method]>
    }
  }
  & {
    /** Ends the calls in flight and every later one with `Unavailable`. */
    readonly close: () => Promise<void>
  }

/**
 * Makes the functions of services on one server for code without Effect.
 *
 * What a call fails with is thrown as it is: an instance of the declared error with its fields, or of `ServiceError`.
 * Leaving the loop over a stream stops its producer. Nothing is sent before the first call, and nothing is kept open
 * between calls but what `fetch` keeps. No service may be named `close`. In place of services it may be given a
 * deployment, whose units are called by their names.
 *
 * **Example** (Without Effect)
 *
 * ```ts
 * import { Client, Model, ServiceError } from "chorale"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Ocr extends Model.Service<Ocr>()("Ocr", [
 *   Rpc.make("read", { payload: { image: Schema.Uint8Array }, success: Schema.String }),
 *   Rpc.make("lines", { payload: { image: Schema.Uint8Array }, success: Schema.String, stream: true })
 * ]) {}
 *
 * export async function main(image: Uint8Array) {
 *   const client = Client.promise({ ocr: Ocr }, { url: "http://127.0.0.1:3000" })
 *   try {
 *     const text = await client.ocr.read({ image }, { timeout: "2 seconds" })
 *     const lines: Array<string> = []
 *     for await (const line of client.ocr.lines({ image })) lines.push(line)
 *     return { text, lines }
 *   } catch (error) {
 *     if (error instanceof ServiceError.ServiceError && error.isRetryable) return undefined
 *     throw error
 *   } finally {
 *     await client.close()
 *   }
 * }
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const promise = <const Given extends Services | Deployed>(
  given: Given & { readonly close?: never },
  options: Options
): PromiseClient<ServicesOf<Given>> => {
  const services = servicesOf(given)
  const runtime = ManagedRuntime.make(layerOf(services, options))
  const closing = new AbortController()
  const methods = mapRecord<Model.Any, Record<string, unknown>>(
    services,
    (service) =>
      Object.fromEntries(Array.from(service.methods.values(), (method) => {
        const edge: Edge = { service, method, context: runtime.contextEffect, closing: closing.signal }
        return [method.name, method.stream ? iterableMethod(edge) : promiseMethod(edge)]
      }))
  )
  const close = () => {
    closing.abort()
    return runtime.dispose()
  }
  // The functions are made of the methods that `PromiseClient` takes the types of.
  return { ...methods, close } as unknown as PromiseClient<ServicesOf<Given>>
}

const servicesOf = (given: Services | Deployed): Services =>
  isDeployed(given) ? mapRecord(given.units, ({ service }) => service) : given

/** A service may be named `units`, but it is a class. */
const isDeployed = (given: Services | Deployed): given is Deployed =>
  "units" in given && typeof given.units === "object"

const remote = (service: Model.Any, url: string): Layer.Layer<unknown, never, HttpClient.HttpClient> =>
  // Every service is made by `Model.Service`, whose type `Any` only hides.
  Remote.layerHttp(service as Model.ServiceClass<unknown, string, Rpc.Any>, { url })

const layerOf = (services: Services, options: Options): Layer.Layer<unknown> => {
  const [first, ...others] = new Set(Object.values(services))
  if (first === undefined) throw new TypeError("a client is made of at least one service")
  return layer([first, ...others], options)
}

const authorized = (token: Redacted.Redacted | undefined) =>
  Layer.effect(
    HttpClient.HttpClient,
    token === undefined
      ? HttpClient.HttpClient
      : Effect.map(HttpClient.HttpClient, HttpClient.mapRequest(HttpClientRequest.bearerToken(token)))
  )

/** One method, and what it is called with. */
interface Edge {
  readonly service: Model.Any
  readonly method: Model.Definition
  readonly context: Effect.Effect<Context.Context<unknown>>
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal
}

type Call = Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

const callOf = ({ context, method, service }: Edge, payload: unknown): Effect.Effect<Call> =>
  Effect.map(context, (context): Call => {
    const client: Model.AnyClient = Context.getUnsafe(context, service)
    return client[method.name]!(payload)
  })

const promiseMethod = (edge: Edge) => (payload: unknown, options: CallOptions = {}): Promise<unknown> => {
  // A method that does not stream is an effect.
  const call = Effect.flatMap(callOf(edge, payload), (call) => call as Effect.Effect<unknown, unknown>)
  const ended = endOf(edge, options.signal)
  return Effect.runPromise(Effect.raceFirst(ended, withTimeout(call, options.timeout)))
}

const iterableMethod = (edge: Edge) => (payload: unknown, options: CallOptions = {}): AsyncIterable<unknown> => {
  const items = Effect.withFiber((fiber) =>
    // A streaming method is a stream.
    Effect.map(callOf(edge, payload) as Effect.Effect<Stream.Stream<unknown, unknown>>, (items) =>
      options.timeout === undefined
        ? items
        : Stream.provideService(
          items,
          Deadline.Current,
          Deadline.fromNow(fiber, Duration.fromInputUnsafe(options.timeout))
        ))
  )
  const ended = endOf(edge, options.signal)
  return Stream.toAsyncIterable(Stream.interruptWhen(Stream.unwrap(Effect.raceFirst(ended, items)), ended))
}

const withTimeout = <A, E>(call: Effect.Effect<A, E>, timeout: Duration.Input | undefined): Effect.Effect<A, E> =>
  timeout === undefined ? call : Deadline.within(call, timeout)

/** Fails when the client is closed or the caller wants no more. */
const endOf = ({ closing, method, service }: Edge, signal: AbortSignal | undefined): Effect.Effect<never, unknown> => {
  const closed = new ServiceError.ServiceError({
    service: service.key,
    method: method.name,
    reason: new ServiceError.Unavailable({ detail: "the client is closed" })
  })
  return Effect.callback((resume) => {
    const end = () => resume(Effect.fail(signal?.aborted === true ? signal.reason : closed))
    if (closing.aborted || signal?.aborted === true) return end()
    closing.addEventListener("abort", end, { once: true })
    signal?.addEventListener("abort", end, { once: true })
    return Effect.sync(() => {
      closing.removeEventListener("abort", end)
      signal?.removeEventListener("abort", end)
    })
  })
}

const mapRecord = <A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]))
