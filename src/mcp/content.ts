/** What a tool answers: the result of a method, or its failure, as the content of MCP. */
import * as McpSchema from "effect/ai/McpSchema"
import type * as Answer from "../http/answer.ts"

/** A result that is JSON: as structured content, and as text for who reads only that. */
export const fromJson = (json: unknown, field: string | undefined): McpSchema.CallToolResult =>
  new McpSchema.CallToolResult({
    content: [textOf(json)],
    structuredContent: field === undefined ? json : { [field]: json }
  })

/** A method without a result. */
export const nothing = new McpSchema.CallToolResult({ content: [] })

/** A result of bytes: an image or a sound where they are one, and otherwise a resource. */
export const fromBytes = (bytes: Uint8Array, given: string | undefined, uri: string): McpSchema.CallToolResult => {
  const mimeType = given ?? recognise(bytes)
  return new McpSchema.CallToolResult({
    content: [
      mimeType.startsWith("image/")
        ? { type: "image", data: bytes, mimeType }
        : mimeType.startsWith("audio/")
        ? { type: "audio", data: bytes, mimeType }
        : { type: "resource", resource: { uri, mimeType, blob: bytes } }
    ]
  })
}

/** A failure is the result of a tool that says so, which a model can read and act on. */
export const fromFailure = ({ body }: Answer.Failure): McpSchema.CallToolResult =>
  new McpSchema.CallToolResult({ isError: true, content: [textOf(body)] })

const textOf = (json: unknown) => ({ type: "text" as const, text: JSON.stringify(json) })

const signatures: ReadonlyArray<readonly [mimeType: string, start: string, offset: number]> = [
  ["image/png", "\x89PNG", 0],
  ["image/jpeg", "\xff\xd8\xff", 0],
  ["image/gif", "GIF8", 0],
  ["image/webp", "WEBP", 8],
  ["audio/wav", "WAVE", 8]
]

/** What bytes say of themselves. */
const recognise = (bytes: Uint8Array): string => {
  const has = (start: string, offset: number) =>
    Array.from(start).every((character, index) => bytes[offset + index] === character.charCodeAt(0))
  return signatures.find(([, start, offset]) => has(start, offset))?.[0] ?? "application/octet-stream"
}
