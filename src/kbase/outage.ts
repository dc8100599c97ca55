/** The two ways a call to a KBase service fails. */

/** The service answered, and said no. `message` is its own. */
export class ServiceRefusal extends Error {
  override readonly name = 'ServiceRefusal';
  constructor(
    message: string,
    /** HTTP status. */
    readonly status: number,
  ) {
    super(message);
  }
}

/** No answer, or none that the service itself would give: it may be asked again. */
export class ServiceOutage extends Error {
  override readonly name = 'ServiceOutage';
}
