/** The routes of a server: which there are, and what is to be said of all others. */
import type { HttpServerRequest } from "effect/http"
import { streamFields } from "../internal/payloadStream.ts"
import * as Wire from "../internal/wire.ts"
import type * as Model from "../Model.ts"
import * as Answer from "./answer.ts"
import * as Docs from "./docs.ts"
import type { Known } from "./edge.ts"
import * as Health from "./health.ts"
import * as Metrics from "./metrics.ts"

export interface Surface {
  /** The verb of each path. */
  readonly paths: ReadonlyMap<string, "GET" | "POST">
  readonly known: (path: string) => Known
  readonly notFound: (path: string, request: HttpServerRequest.HttpServerRequest) => Answer.Failure
  readonly metrics: boolean
  /** What the description calls the server, where there is one. */
  readonly docs:
    | { readonly title: string; readonly version: string; readonly description?: string | undefined }
    | undefined
}

/** The methods that have a route of their own: a payload with a stream fits in no body. */
export const methods = (service: Model.Any): ReadonlyArray<Model.Definition> =>
  Array.from(service.methods.values()).filter(({ payload }) => streamFields(payload).size === 0)

export const methodPath = (service: Model.Any, method: Model.Definition): `/${string}` =>
  `/${service.key}/${method.name}`

export const make = (services: ReadonlyArray<Model.Any>, options: {
  readonly metrics?: boolean | undefined
  readonly docs?:
    | boolean
    | {
      readonly title?: string | undefined
      readonly version?: string | undefined
      readonly description?: string | undefined
    }
    | undefined
}): Surface => {
  const metrics = options.metrics ?? true
  const docs = options.docs ?? true
  const methodPaths = services.flatMap((service) => methods(service).map((method) => methodPath(service, method)))
  const pages = [
    ...Health.paths,
    ...metrics ? [Metrics.path] : [],
    ...docs === false ? [] : [Docs.documentPath, Docs.pagePath]
  ]
  const kinds = new Map<string, Known>([
    ...methodPaths.map((path) => [path, { open: false, gated: false }] as const),
    ...pages.map((path) => [path, { open: false, gated: false }] as const),
    ...Health.paths.map((path) => [path, { open: true, gated: false }] as const)
  ])
  const paths = new Map<string, "GET" | "POST">([
    ...methodPaths.map((path) => [path, "POST"] as const),
    [Wire.rpcPath, "POST"],
    ...pages.map((path) => [path, "GET"] as const)
  ])
  return {
    paths,
    known: (path) => kinds.get(path) ?? other,
    notFound: notFound(paths, methodPaths),
    metrics,
    docs: docs === false ? undefined : description(services, docs === true ? {} : docs)
  }
}

const other: Known = { open: false, gated: true }

const description = (
  services: ReadonlyArray<Model.Any>,
  { description, title, version }: Exclude<Parameters<typeof make>[1]["docs"], boolean | undefined>
) => ({ title: title ?? services.map(({ key }) => key).join(", "), version: version ?? "0.0.0", description })

/** Says which routes there are, as far as a sentence can hold them. */
const notFound = (paths: Surface["paths"], methodPaths: ReadonlyArray<string>): Surface["notFound"] => {
  const offered = methodPaths.slice(0, 20).map((path) => `POST ${path}`)
  const offer = [...offered, ...methodPaths.length > offered.length ? ["..."] : []].join(", ")
  return (path, { method }) => {
    const verb = paths.get(path)
    return verb === undefined
      ? Answer.failure(404, "NotFound", `there is no ${method} ${bounded(path)}: this server offers ${offer}`)
      : Answer.failure(405, "MethodNotAllowed", `${path} answers ${verb}, not ${method}`, { allow: verb })
  }
}

const bounded = (path: string): string => path.length <= 200 ? path : `${path.slice(0, 200)}...`
