import { Catch, type ExceptionFilter } from '@nestjs/common';

export class MailboxUnknownError extends Error {}

/** A bounce is an answer, not a failure. The return value of the filter is the result of the job. */
@Catch(MailboxUnknownError)
export class BounceFilter implements ExceptionFilter {
  catch(error: MailboxUnknownError): { bounced: string } {
    return { bounced: error.message };
  }
}
