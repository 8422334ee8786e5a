/** A form as BentoML's clients send it: files as they are, and everything else as JSON. */
import { Result } from "effect"
import { MultipartParser } from "effect/http"
import * as Answer from "../http/answer.ts"
import * as Json from "../http/json.ts"
import type { Limits } from "../http/limits.ts"

/** The fields of a form, of which those in `files` are bytes, and those in `lists` lists of what they hold. */
export const parse = (
  body: Uint8Array,
  contentType: string,
  limits: Limits,
  { files, lists }: { readonly files: ReadonlySet<string>; readonly lists: ReadonlySet<string> }
): Result.Result<Readonly<Record<string, unknown>>, Answer.Failure> => {
  const form = new Map<string, Array<unknown>>()
  let failure: Answer.Failure | undefined
  const parser = MultipartParser.make({
    headers: { "content-type": contentType },
    isFile: () => false,
    maxParts: limits.maxParts,
    maxFieldSize: limits.maxPartSize,
    onField: ({ name }, bytes) => {
      const value = files.has(name) ? bytes : valueOf(bytes, limits)
      const values = form.get(name)
      if (values === undefined) form.set(name, [value])
      else values.push(value)
    },
    onFile: () => () => undefined,
    onError: (error) => {
      failure ??= error._tag === "ReachedLimit"
        ? Answer.failure(413, "PayloadTooLarge", "the form has more or larger parts than this server takes")
        : Answer.failure(400, "InvalidPayload", "the body is no multipart form")
    },
    onDone: () => undefined
  })
  parser.write(body)
  parser.end()
  if (failure !== undefined) return Result.fail(failure)
  return Result.succeed(Object.fromEntries(
    Array.from(form, ([name, values]) => [name, lists.has(name) && files.has(name) ? values : values[0]])
  ))
}

/** What is no JSON is a text. */
const valueOf = (bytes: Uint8Array, { maxJsonDepth }: Limits): unknown => {
  try {
    return Json.parse(bytes, maxJsonDepth)
  } catch {
    return new TextDecoder().decode(bytes)
  }
}
