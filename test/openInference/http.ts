/** Requests of the protocol over HTTP that are written by hand. */
import { Effect } from "effect"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export const send = (url: string, init?: RequestInit): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { ...init, signal })
    return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) }
  })

export const jsonOf = ({ body }: Answer) => JSON.parse(body.toString())

/** Sends what clients send who write JSON: its content type is not looked at. */
export const infer = (url: string, model: string, request: unknown, headers: Readonly<Record<string, string>> = {}) =>
  send(`${url}/v2/models/${model}/infer`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof request === "string" ? request : JSON.stringify(request)
  })

/** The body of a binary request, and the header that says where its JSON ends. */
export const binary = (request: unknown, ...tensors: ReadonlyArray<Uint8Array>) => {
  const json = Buffer.from(JSON.stringify(request))
  return { headerLength: json.byteLength, body: Buffer.concat([json, ...tensors]) }
}

export const inferBinary = (url: string, model: string, request: unknown, ...tensors: ReadonlyArray<Uint8Array>) => {
  const { body, headerLength } = binary(request, ...tensors)
  return send(`${url}/v2/models/${model}/infer`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream", "inference-header-content-length": String(headerLength) },
    body
  })
}

/** The two parts of a binary answer. */
export const partsOf = ({ body, headers }: Answer) => {
  const length = Number(headers.get("inference-header-content-length"))
  return { json: JSON.parse(body.subarray(0, length).toString()), tensors: body.subarray(length), length }
}

export const bytesOf = ({ buffer, byteLength, byteOffset }: ArrayBufferView) =>
  new Uint8Array(buffer, byteOffset, byteLength)
