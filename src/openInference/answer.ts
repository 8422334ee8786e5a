/** The answer to a request for inference over HTTP, as a server writes it. */
import * as Message from "./message.ts"
import type { ServerOptions } from "./metadata.ts"
import type { Named, Served } from "./model.ts"
import type { Request } from "./request.ts"

/** The message of a result. Throws Refusal where it was asked for in JSON and holds what JSON cannot carry. */
export const write = (
  { name }: Served,
  { version }: ServerOptions,
  { id, outputs }: Request,
  results: Named
): Message.Message => {
  const entries = outputs.flatMap(({ binary, name }): ReadonlyArray<Message.Entry> => {
    const tensor = results.get(name)
    // A result may lack what is optional in it.
    return tensor === undefined ? [] : [{ kind: "output", name, tensor, binary }]
  })
  const head = [
    `"model_name":${JSON.stringify(name)}`,
    ...version === undefined ? [] : [`"model_version":${JSON.stringify(version)}`],
    ...id === undefined ? [] : [`"id":${JSON.stringify(id)}`],
    `"outputs":[${entries.map(Message.toJson).join(",")}]`
  ]
  return Message.make(`{${head.join(",")}}`, entries)
}
