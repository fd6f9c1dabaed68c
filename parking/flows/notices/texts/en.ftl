# What drivers are told, in English. Names after $ are filled in; every language has the same
# messages, and uses the same names.

unnamed-place = the car park
unnamed-pass = the pass
unnamed-device = an unnamed device

# Follows every message about money that was taken.
deduction = Taken from { $provider }, { $at }. Not you? Open the app: end the permission and object to the bill.

session-entered =
    .title = Parked at { $place }
    .body = Your car entered at { $time }. The bill runs live in the app.

bill-due =
    .title = { $amount } due
    .body = Please pay for your stay at { $place }; the gate then opens.

bill-owed =
    .title = { $amount } to be paid
    .body = Your stay at { $place } is paid after departure. You can pay now in the app.

collection-failed =
    .title = Payment refused
    .body = { $amount } for { $place } could not be charged. We try again; you can also pay in the app.

collection-ended =
    .title = { $amount } is still owed
    .body = Your stay at { $place } could not be charged. Please pay it in the app; until then the gate opens only against payment.

payment-charged =
    .title = { $amount } paid
    .body = Your stay at { $place } is paid.

payment-refused =
    .title = Payment refused
    .body = { $amount } for { $place } could not be charged. Please pay at the exit or in the app.

gate-opened-entry =
    .title = The gate is open
    .body = Welcome to { $place }. Please drive in.

gate-opened-exit =
    .title = The gate is open
    .body = Goodbye from { $place }. Have a safe journey.

payment-refunded =
    .title = { $amount } refunded
    .body = The money for your stay at { $place } goes back to the account that paid.

pass-refunded =
    .title = { $amount } refunded
    .body = The money for your pass goes back to the account that paid.

bill-corrected =
    .title = Bill corrected: { $amount }
    .body = Your stay at { $place } costs { $amount } instead of { $before }. What you paid too much is refunded.

payment-charged-back =
    .title = Your bank took { $amount } back
    .body = The payment for { $place } was taken back. Open the app to see what is owed again.

chargeback-reversed =
    .title = { $amount } is paid again
    .body = Your bank returned the payment for { $place }. You owe nothing more for it.

pass-charged-back =
    .title = Your bank took { $amount } back
    .body = The payment for your pass was taken back, and is owed again.

dispute-refunded =
    .title = You pay nothing for this stay
    .body = The pictures at { $place } do not prove that it was your car. What was charged goes back.

dispute-accepted =
    .title = Your objection was accepted
    .body = The bill for { $place } was corrected. Open the app for the reason.

dispute-rejected =
    .title = Your objection was not accepted
    .body = The bill for { $place } stands. Open the app for the reason.

invoice-issued =
    .title = Your invoice is ready
    .body = { $number } of { $place } over { $amount }: find it in the app.

credit-note-issued =
    .title = Your credit note is ready
    .body = { $number } of { $place } over { $amount }: find it in the app.

pass-purchased =
    .title = Your pass is valid
    .body = { $name }: { $amount } paid. Its last paid day is { $day }.

pass-purchase-failed =
    .title = Your pass was not paid
    .body = { $name } could not be charged and is not valid. Please try again in the app.

pass-renewal-upcoming =
    .title = Your pass renews soon
    .body = { $name } runs until { $day } and then renews for { $amount }. You can switch that off in the app.

pass-renewed =
    .title = Your pass is renewed
    .body = { $name }: { $amount } paid. Its last paid day is now { $day }.

pass-renewal-failed =
    .title = Your pass could not be renewed
    .body = { $amount } for { $name } could not be charged. It stays valid until { $day } while we try again; please look at your payment.

pass-lapsed =
    .title = Your pass has ended
    .body = { $name } is not valid any more. Stays from now on cost what they cost without it.

pass-cancelled =
    .title = Your pass is cancelled
    .body = { $name } is valid until { $day }.

pass-charged =
    .title = { $amount } paid
    .body = { $name } was charged after it had ended; the money goes back.

plate-bound =
    .title = A plate was bound to your account
    .body = Gates know it from now on. Not you? Open the app, unbind it, and end your other sign-ins.

plate-taken-off =
    .title = A plate was taken off your account
    .body = After a check, gates no longer take it for yours; what you allowed for it has ended.

plate-claim-refused =
    .title = A plate could not be bound
    .body = Our staff could not confirm it. { $refusal ->
        [unreadable] The picture cannot be read.
        [other_plate] It shows another plate.
        [name_differs] The name on it is not yours.
        [licence_ended] It is no longer valid.
       *[other] Please ask our staff.
    }

plate-payment-paused =
    .title = Please pay by hand for now
    .body = We are checking one of your plates. Until then nothing is charged for it automatically; pay at the gate.

plate-payment-resumed =
    .title = Automatic payment is on again
    .body = We have finished checking your plate. Gates charge for it as before.

signed-in =
    .title = New sign-in to your account
    .body = “{ $device }” signed in, { $at } UTC. Not you? Open the app, end that sign-in and all the others.

# What an operator's campaign says, in words that were written for it.
campaign =
    .title = { $title }
    .body = { $body }

space-offered =
    .title = A space for you at { $place }
    .body = From { $start }. Accept it in the app by { $until }.

reservation-upcoming =
    .title = Your space at { $place } is ready
    .body = Reserved from { $start }; it is kept for you until { $until }. The gate opens for your plate.

reservation-missed =
    .title = Your reservation has ended
    .body = Your space at { $place } was kept until { $until } and is free for others now.

reservation-overstayed =
    .title = Your reserved time is over
    .body = Your space at { $place } was reserved until { $until }. The stay goes on at the ordinary price.

reservation-failed =
    .title = No space at { $place }
    .body = { $found ->
        [yes] We are sorry: the space that we promised you is taken. { $other } has space now.
       *[no] We are sorry: the space that we promised you is taken, and no other place of this operator has space.
    }
