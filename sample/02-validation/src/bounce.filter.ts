import { Catch, type ExceptionFilter } from '@nestjs/common';

export class MailboxUnknownError extends Error {}

/** A bounce is an answer, not a failure: what the filter returns is the job's result. */
@Catch(MailboxUnknownError)
export class BounceFilter implements ExceptionFilter {
  catch(error: MailboxUnknownError): { bounced: string } {
    return { bounced: error.message };
  }
}
