/**
 * Where a service runs, decided by configuration: here, or at the addresses that an environment variable holds.
 *
 * @since 0.2.0
 */
import { Effect, Layer, Option, Result, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import * as Discovery from "../Discovery.ts"
import type * as Model from "../Model.ts"
import * as Replicas from "../Replicas.ts"
import * as Dns from "./Dns.ts"
import * as Http from "./Http.ts"
import * as Socket from "./Socket.ts"

/**
 * Satisfies a service here, or where its environment variable says.
 *
 * The variable of a service with the key "ocr/Detector" is `DETECTOR_URL`, or `OCR_DETECTOR_URL`, which wins. Where it
 * is not set, the service is the one of `local`. Otherwise it holds an address, or several separated by commas, which
 * are replicas: `unix:/path`, `tcp://host:port`, `tls://host:port`, `http://host:port`, `https://host`. With `dns+` in
 * front of `tcp`, `tls` or `http`, each address that the host name has is a replica, looked up every few seconds.
 *
 * An address that cannot be one fails before anything is built.
 *
 * **Example** (A service that runs here unless READER_URL is set)
 *
 * ```ts
 * import { Model } from "chorale"
 * import { Location } from "chorale/node"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * const ReaderLive = Reader.toLayer({ read: () => Effect.succeed("text") })
 *
 * export const ReaderSomewhere = Location.layer(Reader, ReaderLive)
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = <Self, Name extends string, Rpcs extends Rpc.Any, E, R>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  local: Layer.Layer<Self, E, R>,
  options: Replicas.Options<Model.Client<Rpcs>> & {
    /** For the addresses of sockets: certificates, limits, the time to connect. */
    readonly socket?: Socket.ClientOptions
  } = {}
): Layer.Layer<Self, E | Discovery.AddressError | Dns.DnsError, R> =>
  Layer.unwrap(Effect.map(Discovery.configured(service), (configured): Layer.Layer<Self, E | Failure, R> => {
    if (Option.isNone(configured)) return local
    const addresses = configured.value
    const [only] = addresses
    return only !== undefined && addresses.length === 1 && !isLookedUp(only)
      ? layerAddress(service, only, options.socket)
      : Replicas.layerAddresses(service, {
        ...options,
        addresses: together(addresses),
        connect: (address) => layerAddress(service, address, options.socket)
      })
  }))

type Failure = Discovery.AddressError | Dns.DnsError

/**
 * Satisfies a service with the server at one address; one that cannot be an address fails. `options` are for sockets.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerAddress = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  address: Discovery.Address,
  options: Socket.ClientOptions = {}
): Layer.Layer<Self, Discovery.AddressError> => {
  const parsed = Discovery.parse(address)
  if (Result.isFailure(parsed)) {
    const error = new Discovery.AddressError({ source: service.key, address, detail: parsed.failure })
    return Layer.effectContext(Effect.fail(error))
  }
  const parts = parsed.success
  switch (parts.scheme) {
    case "unix":
      return Socket.layerClient(service, { path: parts.path }, withoutTls(options))
    case "tcp":
      return Socket.layerClient(service, { host: parts.host, port: parts.port }, withoutTls(options))
    case "tls": {
      const tls = parts.servername === undefined ? options.tls : { servername: parts.servername, ...options.tls }
      return Socket.layerClient(service, { host: parts.host, port: parts.port }, { ...options, tls: tls ?? {} })
    }
    default:
      return Http.layerClient(service, { url: parts.url, connectTimeout: options.connectTimeout ?? "2 seconds" })
  }
}

const withoutTls = ({ tls: _tls, ...options }: Socket.ClientOptions): Socket.ClientOptions => options

const isLookedUp = (address: Discovery.Address): boolean => address.startsWith("dns+")

/** The name in an address that `Discovery.parse` accepts with `dns+` in front. */
const nameOf = (address: Discovery.Address): Dns.Options => {
  const parts = Result.getOrThrow(Discovery.parse(address))
  if (parts.scheme === "unix" || parts.scheme === "https") throw new TypeError(`${address} is not looked up`)
  return { scheme: parts.scheme, host: parts.host, port: parts.port }
}

/** Those that are given as they are, and those of the names that are looked up. */
const together = (addresses: ReadonlyArray<Discovery.Address>): Discovery.Discovery<Dns.DnsError> => {
  const fixed = Discovery.fromAddresses(addresses.filter((address) => !isLookedUp(address)))
  const found = addresses.filter(isLookedUp).map((address) => Dns.discover(nameOf(address)))
  const all = [fixed, ...found]
  return {
    addresses: Stream.map(
      Stream.zipLatestAll(...all.map(({ addresses }) => addresses)),
      (lists) => Array.from(new Set(lists.flat()))
    ),
    refresh: Effect.forEach(found, ({ refresh }) => refresh ?? Effect.void, { discard: true, concurrency: "unbounded" })
  }
}
