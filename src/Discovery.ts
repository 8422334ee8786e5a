/**
 * Where the replicas of a service are: addresses that are given, configured, or looked up, and that may change.
 *
 * @since 0.2.0
 */
import { Config, Effect, Option, Result, Schema, Stream } from "effect"
import type * as Model from "./Model.ts"

/**
 * The address of a replica: the path of a unix socket, a host and a port for TCP or TLS, or a URL for HTTP.
 *
 * With `dns+` in front, the name of the host is looked up again and again, and each address that it has is a replica.
 * `servername` is the name that the certificate of a TLS server is for, where it is not the host.
 *
 * @category models
 * @since 0.2.0
 */
export type Address =
  | `unix:/${string}`
  | `${"" | "dns+"}${"tcp" | "tls" | "http"}://${string}`
  | `https://${string}`

/**
 * The addresses of the replicas of a service: all of them, and all of them again whenever they have changed.
 *
 * `refresh` is asked for when an address does not answer; what it leads to comes through `addresses`.
 *
 * @category models
 * @since 0.2.0
 */
export interface Discovery<out E = never> {
  readonly addresses: Stream.Stream<ReadonlyArray<Address>, E>
  readonly refresh?: Effect.Effect<void>
}

/**
 * Finds the replicas of a service by its name: in the configuration (`fromConfig`), in a map (`fromMap`), in DNS
 * (`Dns.byName` of `chorale/node`), or wherever else somebody keeps names.
 *
 * @category models
 * @since 0.3.0
 */
export type ByName<out E = never> = (service: Model.Any) => Discovery<E>

/**
 * An address that cannot be one. `source` says where it is from, such as the environment variable.
 *
 * @category errors
 * @since 0.2.0
 */
export class AddressError extends Schema.TaggedError<AddressError>()("AddressError", {
  source: Schema.String,
  address: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.source}: ${JSON.stringify(this.address)} ${this.detail}`
  }
}

/**
 * The parts of an address.
 *
 * @category models
 * @since 0.2.0
 */
export type Parts =
  | { readonly scheme: "unix"; readonly path: string }
  | {
    readonly scheme: "tcp" | "tls"
    readonly host: string
    readonly port: number
    /** For `tls`: the name that its certificate is for. */
    readonly servername: string | undefined
    readonly lookup: boolean
  }
  | {
    readonly scheme: "http" | "https"
    readonly url: string
    readonly host: string
    readonly port: number
    readonly lookup: boolean
  }

/**
 * Addresses that do not change.
 *
 * @category constructors
 * @since 0.2.0
 */
export const fromAddresses = (addresses: ReadonlyArray<Address>): Discovery => ({
  addresses: Stream.succeed(addresses)
})

/**
 * The addresses in the environment variable of a service; fails where there is none. See `configured`.
 *
 * @category constructors
 * @since 0.2.0
 */
export const fromConfig: ByName<AddressError> = (service) => ({
  addresses: Stream.fromEffect(
    configured(service).pipe(
      Effect.flatMap(Effect.fromOption),
      Effect.catchTag("NoSuchElementError", () => Effect.fail(notSet(service)))
    )
  )
})

/**
 * The addresses that a map has for services by their keys; fails for a service that it does not have.
 *
 * **Example** (Where two services are)
 *
 * ```ts
 * import { Discovery } from "chorale"
 *
 * export const find = Discovery.fromMap({
 *   "ocr/TextDetector": ["http://detector:3000"],
 *   "ocr/TextRecognizer": ["tcp://10.0.0.7:4000", "tcp://10.0.0.8:4000"]
 * })
 * ```
 *
 * @category constructors
 * @since 0.3.0
 */
export const fromMap =
  (addresses: Readonly<Record<string, ReadonlyArray<Address>>>): ByName<AddressError> => ({ key }) => {
    const found = Object.hasOwn(addresses, key) ? addresses[key] : undefined
    return found === undefined
      ? {
        addresses: Stream.fail(
          new AddressError({ source: key, address: "", detail: "is no address: the map has none" })
        )
      }
      : fromAddresses(found)
  }

/**
 * The addresses that the configuration has for a service, if it has any: `DETECTOR_URL` for a service with the key
 * "ocr/Detector", or `OCR_DETECTOR_URL`, which wins. Several are separated by commas; an empty one counts as not set.
 * An address that cannot be one fails.
 *
 * @category getters
 * @since 0.2.0
 */
export const configured = (
  service: Model.Any
): Effect.Effect<Option.Option<ReadonlyArray<Address>>, AddressError> =>
  Effect.gen(function*() {
    for (const variable of variables(service)) {
      const value = yield* Effect.mapError(
        Config.option(Config.String(variable)),
        ({ message }) => new AddressError({ source: variable, address: "", detail: `could not be read: ${message}` })
      )
      if (Option.isSome(value)) return Option.some(yield* parseAll(variable, value.value))
    }
    return Option.none()
  })

/**
 * The environment variables that may hold the addresses of a service; the first that is set counts.
 *
 * @category getters
 * @since 0.2.0
 */
export const variables = (service: Pick<Model.Any, "key">): ReadonlyArray<string> => {
  const whole = screamingSnake(service.key)
  const last = screamingSnake(service.key.slice(service.key.lastIndexOf("/") + 1))
  return Array.from(new Set([`${whole}_URL`, `${last}_URL`]))
}

/**
 * Takes an address apart; the failure says what is wrong with it.
 *
 * @category getters
 * @since 0.2.0
 */
export const parse = (address: string): Result.Result<Parts, string> => {
  if (address.startsWith("unix:")) return parseUnix(address.slice("unix:".length))
  const match = /^(dns\+)?(tcp|tls|https?):\/\//.exec(address)
  const url = match === null ? null : URL.parse(address.slice(match[1]?.length ?? 0))
  if (match === null || url === null) return Result.fail(`is no address: ${expected}`)
  const lookup = match[1] !== undefined
  if (url.username !== "" || url.password !== "") return Result.fail("must not hold a user or a password")
  if (url.hostname === "") return Result.fail(`has no host: ${expected}`)
  return match[2] === "tcp" || match[2] === "tls"
    ? parseSocket(match[2], url, lookup)
    : parseHttp(match[2] === "https" ? "https" : "http", url, lookup)
}

const notSet = (service: Model.Any) =>
  new AddressError({ source: variables(service).join(" and "), address: "", detail: "is no address: neither is set" })

const expected = "expected unix:/path, tcp://host:port, tls://host:port, http://host:port or https://host:port"

const parseUnix = (path: string): Result.Result<Parts, string> =>
  /^\/(?!\/)./.test(path)
    ? Result.succeed({ scheme: "unix", path })
    : Result.fail("needs the path of a unix socket that begins with one slash: unix:/path")

const parseSocket = (scheme: "tcp" | "tls", url: URL, lookup: boolean): Result.Result<Parts, string> => {
  if (url.port === "" || url.port === "0") return Result.fail(`needs a port: ${scheme}://host:port`)
  const servername = url.searchParams.get("servername") ?? undefined
  const others = Array.from(url.searchParams.keys()).filter((name) => scheme === "tcp" || name !== "servername")
  if (!["", "/"].includes(url.pathname) || url.hash !== "" || others.length > 0) {
    return Result.fail(`holds more than a host and a port: ${scheme}://host:port`)
  }
  return Result.succeed({ scheme, host: hostOf(url), port: Number(url.port), servername, lookup })
}

const parseHttp = (scheme: "http" | "https", url: URL, lookup: boolean): Result.Result<Parts, string> => {
  if (url.search !== "" || url.hash !== "") return Result.fail("must not hold a query or a fragment")
  if (scheme === "https" && lookup) return Result.fail("cannot be looked up here: the certificate is for its name")
  const port = Number(url.port) || (scheme === "https" ? 443 : 80)
  return Result.succeed({ scheme, url: url.href.replace(/\/+$/, ""), host: hostOf(url), port, lookup })
}

// A URL has an IPv6 address in brackets, a socket has it without.
const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, "$1")

const parseAll = (source: string, list: string): Effect.Effect<ReadonlyArray<Address>, AddressError> =>
  Effect.gen(function*() {
    const addresses = list.split(",").map((address) => address.trim())
    for (const address of addresses) {
      const parts = parse(address)
      if (Result.isFailure(parts)) return yield* new AddressError({ source, address, detail: parts.failure })
    }
    const twice = addresses.find((address, index) => addresses.indexOf(address) < index)
    if (twice !== undefined) return yield* new AddressError({ source, address: twice, detail: "is there twice" })
    // `parse` has just accepted each of them.
    return addresses as ReadonlyArray<string> as ReadonlyArray<Address>
  })

const screamingSnake = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toUpperCase()
