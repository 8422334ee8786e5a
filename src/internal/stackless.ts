/** Errors that are answers: a call that was refused is no bug, and where the refusal was made says nothing. */

// oxlint-disable-next-line no-explicit-any -- TypeScript asks for this of every class that extends an unknown one
type AnyClass = new(...props: any) => Error

/**
 * The class, whose errors do not look for the place where they were made.
 *
 * Looking for it takes ten times what the rest of such an error takes, and a server that is full makes two for each call
 * that it refuses.
 */
export const stackless = <Class extends AnyClass>(base: Class): Class =>
  class extends base {
    // oxlint-disable-next-line no-explicit-any, constructor-super -- as above; and what is in `try` is called always
    constructor(...props: any) {
      const limit = Error.stackTraceLimit
      Error.stackTraceLimit = 0
      try {
        super(...props)
      } catch (error) {
        // Fields that do not fit are a bug of who gave them.
        Error.stackTraceLimit = limit
        if (error instanceof Error) Error.captureStackTrace(error, new.target)
        throw error
      } finally {
        Error.stackTraceLimit = limit
      }
    }
  }
