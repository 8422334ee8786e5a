/** Why a request is not answered with a result. It is thrown while a request is read, and answered at the edge. */
export class Refusal extends Error {
  /** As HTTP numbers it. */
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** What was sent is wrong. */
export const invalid = (message: string): Refusal => new Refusal(400, message)

/** What was asked for is not here. */
export const notFound = (message: string): Refusal => new Refusal(404, message)
