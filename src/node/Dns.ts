/**
 * The replicas behind a name: each address that a host name has is one.
 *
 * @since 0.2.0
 */
import { Context, Duration, Effect, Latch, Random, Schedule, Schema, Stream } from "effect"
import * as Dns from "node:dns/promises"
import { isIPv6 } from "node:net"
import type { Address, ByName, Discovery } from "../Discovery.ts"
import type * as Model from "../Model.ts"

/**
 * A name has no address, or could not be looked up: `code` is what the system said, such as `ENOTFOUND`.
 *
 * @category errors
 * @since 0.2.0
 */
export class DnsError extends Schema.TaggedError<DnsError>()("DnsError", {
  host: Schema.String,
  code: Schema.String
}) {
  override get message(): string {
    return `${this.host} could not be looked up: ${this.code}`
  }
}

/**
 * Looks up the IP addresses of a host.
 *
 * The default asks the system, getaddrinfo, so that /etc/hosts and search domains count as they do for every other
 * program. The answer then is in the order of RFC 6724, and of a host that has both kinds of addresses it holds only
 * those of the kind that is first: else each replica would be there twice.
 *
 * @category services
 * @since 0.2.0
 */
export const Resolver: Context.Reference<(host: string) => Effect.Effect<ReadonlyArray<string>, DnsError>> = Context
  .Reference("chorale/Dns/Resolver", { defaultValue: () => lookup })

/**
 * What to look up, and how.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options {
  readonly scheme: "tcp" | "tls" | "http"
  readonly host: string
  readonly port: number
  /** How long an answer is good for: 5 seconds, each time a fifth more or less by chance. */
  readonly refresh?: Duration.Input
  /** How often the first lookup is tried, twice as long apart each time, from 200 milliseconds: 5. */
  readonly attempts?: number
}

/**
 * Finds the replicas behind a name, and looks again every few seconds and when one does not answer.
 *
 * A lookup that fails later leaves the last addresses as they are. Over TLS the certificate of a replica must be for
 * the name, not for its address. A name behind which replicas come and go is, for example, that of a headless service.
 *
 * **Example** (The addresses of a name)
 *
 * ```ts
 * import { Dns } from "chorale/node"
 *
 * export const readers = Dns.discover({ scheme: "tcp", host: "reader.internal", port: 4000 })
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const discover = (options: Options): Discovery<DnsError> => {
  const refresh = Duration.fromInputUnsafe(options.refresh ?? "5 seconds")
  const stale = Latch.makeUnsafe(false)
  const find = Effect.gen(function*() {
    const resolve = yield* Resolver
    yield* stale.close
    const found = yield* resolve(options.host)
    return found.length === 0
      ? yield* new DnsError({ host: options.host, code: "ENODATA" })
      : addressesOf(options, found)
  })
  const first = Effect.retry(find, {
    schedule: Schedule.exponential("200 millis"),
    times: (options.attempts ?? defaultAttempts) - 1
  })
  const wait = Effect.gen(function*() {
    const time = Duration.times(refresh, 0.8 + 0.4 * (yield* Random.next))
    yield* Effect.raceFirst(Effect.sleep(time), Effect.delay(stale.await, shortestRefresh))
  })
  const again: Effect.Effect<ReadonlyArray<Address> | undefined> = Effect.andThen(wait, find).pipe(
    Effect.tapError((error) => Effect.logWarning(`${error.message}; its last addresses stay`)),
    Effect.orElseSucceed(() => undefined)
  )
  return {
    addresses: Stream.fromEffect(first).pipe(
      Stream.concat(Stream.filter(Stream.fromEffectRepeat(again), (addresses) => addresses !== undefined)),
      Stream.changesWith((before, after) => before.join() === after.join())
    ),
    refresh: Effect.asVoid(stale.open)
  }
}

/**
 * Finds the replicas of a service behind a host name that is made of the name of the service; see `discover`.
 *
 * **Example** (The headless services of a cluster)
 *
 * ```ts
 * import { Dns } from "chorale/node"
 *
 * export const find = Dns.byName({
 *   scheme: "http",
 *   host: ({ key }) => `${key.slice(key.lastIndexOf("/") + 1).toLowerCase()}-headless.ocr.svc.cluster.local`,
 *   port: 3000
 * })
 * ```
 *
 * @category constructors
 * @since 0.3.0
 */
export const byName = (
  { host, ...options }: Omit<Options, "host"> & { readonly host: (service: Model.Any) => string }
): ByName<DnsError> =>
(service) => discover({ ...options, host: host(service) })

const defaultAttempts = 5

// Where replicas fail by the hundred, the name server should not be asked as often.
const shortestRefresh = Duration.seconds(1)

const addressesOf = (
  { host, port, scheme }: Options,
  found: ReadonlyArray<string>
): ReadonlyArray<Address> =>
  Array.from(new Set(found)).toSorted().map((ip): Address => {
    const address = `${isIPv6(ip) ? `[${ip}]` : ip}:${port}`
    return scheme === "tls" ? `tls://${address}?servername=${encodeURIComponent(host)}` : `${scheme}://${address}`
  })

const lookup = (host: string): Effect.Effect<ReadonlyArray<string>, DnsError> =>
  Effect.map(
    Effect.tryPromise({
      try: () => Dns.lookup(host, { all: true, order: "verbatim" }),
      catch: (cause) => new DnsError({ host, code: codeOf(cause) })
    }),
    (found) => found.filter(({ family }) => family === found[0]?.family).map(({ address }) => address)
  )

const codeOf = (cause: unknown): string =>
  cause instanceof Error ? "code" in cause ? String(cause.code) : cause.message : String(cause)
