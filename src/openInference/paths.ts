/** What the path of a request under /v2 asks for. */

export type Asked =
  | { readonly _tag: "Server" }
  | { readonly _tag: "Live" }
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Models" }
  | {
    readonly _tag: "Metadata" | "ModelReady" | "Infer"
    readonly model: string
    readonly version: string | undefined
  }

/** Nothing where the path is none of the protocol. `url` begins with the /v2 of the request. */
export const parse = (url: string): Asked | undefined => {
  const end = url.search(/[?#]/)
  const path = (end === -1 ? url : url.slice(0, end)).replace(/\/$/, "")
  const fixed = routes.get(path)
  return fixed ?? parseModel(path)
}

const routes: ReadonlyMap<string, Asked> = new Map([
  ["/v2", { _tag: "Server" }],
  ["/v2/health/live", { _tag: "Live" }],
  ["/v2/health/ready", { _tag: "Ready" }],
  ["/v2/models", { _tag: "Models" }]
])

const ofModel = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer))?$/

const parseModel = (path: string): Asked | undefined => {
  const [, model, version, verb] = ofModel.exec(path) ?? []
  if (model === undefined) return undefined
  const names = { model: decode(model), version: version === undefined ? undefined : decode(version) }
  return { _tag: verb === "infer" ? "Infer" : verb === "ready" ? "ModelReady" : "Metadata", ...names }
}

/** What is no encoding stands for itself, as it is the name of no model. */
const decode = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
