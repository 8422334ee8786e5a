/** The OpenAPI document of a server, and a page of it that asks no other machine for anything. */
import { Effect, type Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

export const documentPath = "/openapi.json"
export const pagePath = "/docs"

type Document = Readonly<Record<string, unknown>>

/** Both are made when they are first asked for: the page is 3 MB of script. */
export const routes = (makeDocument: () => Document): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const document = yield* Effect.cached(Effect.sync(makeDocument))
    const json = yield* Effect.cached(Effect.map(document, (document) => HttpServerResponse.jsonUnsafe(document)))
    // Who asks first may go away before the page is there.
    const page = yield* Effect.cached(Effect.uninterruptible(Effect.scoped(Effect.flatMap(document, render))))
    yield* router.add("GET", documentPath, json)
    yield* router.add("GET", pagePath, page)
  }))

const render = Effect.fnUntraced(function*(document: Document) {
  const { HttpApi, HttpApiScalar, OpenApi } = yield* Effect.promise(() => import("effect/http-api"))
  const api = HttpApi.make("chorale").annotate(OpenApi.Transform, () => document)
  const page = HttpApiScalar.layer(api, { path: pagePath, scalar: { withDefaultFonts: false } })
  const response = yield* Effect.flatten(HttpRouter.toHttpEffect(page))
  return HttpServerResponse.setHeader(response, "content-security-policy", policy)
}, Effect.orDie)

/** What the page is allowed to fetch: nothing but what it calls of this server. */
const policy = [
  "default-src 'none'",
  "script-src 'unsafe-inline'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")
