/** The bearer token that a server asks for. */
import { Redacted } from "effect"
import * as Answer from "./answer.ts"

/** Whether the value of an `authorization` header carries the token. */
export type IsAuthorized = (authorization: string | undefined) => boolean

const encoder = new TextEncoder()

/** Compares in a time that depends on what was sent and on nothing else. */
export const verifier = (token: Redacted.Redacted): IsAuthorized => {
  const expected = encoder.encode(Redacted.value(token))
  if (expected.length === 0) throw new RangeError("the token of a server is empty: anybody could call it")
  return (authorization) => {
    const [, sent = ""] = /^bearer +(.*)$/i.exec(authorization ?? "") ?? []
    const given = encoder.encode(sent)
    let difference = given.length ^ expected.length
    for (let index = 0; index < given.length; index++) {
      difference |= (given[index] ?? 0) ^ (expected[index % expected.length] ?? 0)
    }
    return difference === 0
  }
}

export const unauthorized = Answer.failure(
  401,
  "Unauthorized",
  "send the token of this server as `authorization: Bearer <token>`",
  { "www-authenticate": "Bearer" }
)
