# Was Fahrern mitgeteilt wird. Die Namen nach $ werden eingesetzt; jede Sprache hat dieselben
# Nachrichten und dieselben Namen.

unnamed-place = Parkplatz
unnamed-pass = die Dauerkarte
unnamed-device = ein unbenanntes Gerät

# Folgt auf jede Nachricht über eine Abbuchung.
deduction = Abgebucht bei { $provider }, { $at }. Nicht von Ihnen? Öffnen Sie die App: Erlaubnis beenden und der Rechnung widersprechen.

session-entered =
    .title = Geparkt: { $place }
    .body = Ihr Fahrzeug ist um { $time } eingefahren. Die Rechnung läuft live in der App mit.

bill-due =
    .title = { $amount } offen
    .body = Bitte bezahlen Sie Ihren Aufenthalt ({ $place }); danach öffnet die Schranke.

bill-owed =
    .title = { $amount } offen
    .body = Ihr Aufenthalt bei { $place } wird nach der Ausfahrt bezahlt. Sie können ihn jetzt in der App bezahlen.

collection-failed =
    .title = Zahlung abgelehnt
    .body = { $amount } für { $place } konnten nicht abgebucht werden. Wir versuchen es erneut; Sie können auch in der App bezahlen.

collection-ended =
    .title = { $amount } noch offen
    .body = Ihr Aufenthalt bei { $place } konnte nicht abgebucht werden. Bitte bezahlen Sie ihn in der App; bis dahin öffnet die Schranke nur gegen Zahlung.

payment-charged =
    .title = { $amount } bezahlt
    .body = Ihr Aufenthalt ({ $place }) ist bezahlt.

payment-refused =
    .title = Zahlung abgelehnt
    .body = { $amount } ({ $place }) konnten nicht abgebucht werden. Bitte zahlen Sie an der Ausfahrt oder in der App.

gate-opened-entry =
    .title = Die Schranke ist offen
    .body = Willkommen ({ $place }). Bitte fahren Sie ein.

gate-opened-exit =
    .title = Die Schranke ist offen
    .body = Auf Wiedersehen ({ $place }). Gute Fahrt!

payment-refunded =
    .title = { $amount } erstattet
    .body = Der Betrag für Ihren Aufenthalt ({ $place }) geht auf das Konto zurück, von dem gezahlt wurde.

pass-refunded =
    .title = { $amount } erstattet
    .body = Der Betrag für Ihre Dauerkarte geht auf das Konto zurück, von dem gezahlt wurde.

bill-corrected =
    .title = Rechnung korrigiert: { $amount }
    .body = Ihr Aufenthalt ({ $place }) kostet { $amount } statt { $before }. Zu viel Gezahltes wird erstattet.

payment-charged-back =
    .title = Ihre Bank hat { $amount } zurückgeholt
    .body = Die Zahlung ({ $place }) wurde zurückgebucht. Was wieder offen ist, sehen Sie in der App.

chargeback-reversed =
    .title = { $amount } sind wieder bezahlt
    .body = Ihre Bank hat die Zahlung ({ $place }) zurückgegeben. Dafür ist nichts mehr offen.

pass-charged-back =
    .title = Ihre Bank hat { $amount } zurückgeholt
    .body = Die Zahlung für Ihre Dauerkarte wurde zurückgebucht und ist wieder offen.

dispute-refunded =
    .title = Der Aufenthalt kostet Sie nichts
    .body = Die Bilder ({ $place }) belegen nicht, dass es Ihr Fahrzeug war. Abgebuchtes wird erstattet.

dispute-accepted =
    .title = Ihrem Einwand wurde stattgegeben
    .body = Die Rechnung ({ $place }) wurde korrigiert. Den Grund lesen Sie in der App.

dispute-rejected =
    .title = Ihr Einwand wurde abgelehnt
    .body = Die Rechnung ({ $place }) bleibt bestehen. Den Grund lesen Sie in der App.

invoice-issued =
    .title = Ihre Rechnung ist da
    .body = { $number } von { $place } über { $amount }: Sie finden sie in der App.

credit-note-issued =
    .title = Ihre Rechnungskorrektur ist da
    .body = { $number } von { $place } über { $amount }: Sie finden sie in der App.

pass-purchased =
    .title = Ihre Dauerkarte gilt
    .body = { $name }: { $amount } bezahlt. Der letzte bezahlte Tag ist der { $day }.

pass-purchase-failed =
    .title = Ihre Dauerkarte wurde nicht bezahlt
    .body = { $name } konnte nicht abgebucht werden und gilt nicht. Bitte versuchen Sie es in der App noch einmal.

pass-renewal-upcoming =
    .title = Ihre Dauerkarte verlängert sich bald
    .body = { $name } läuft bis { $day } und verlängert sich dann für { $amount }. In der App können Sie das abschalten.

pass-renewed =
    .title = Ihre Dauerkarte ist verlängert
    .body = { $name }: { $amount } bezahlt. Der letzte bezahlte Tag ist nun der { $day }.

pass-renewal-failed =
    .title = Ihre Dauerkarte konnte nicht verlängert werden
    .body = { $amount } für { $name } konnten nicht abgebucht werden. Sie gilt bis { $day }, während wir es erneut versuchen; bitte prüfen Sie Ihre Zahlungsart.

pass-lapsed =
    .title = Ihre Dauerkarte ist abgelaufen
    .body = { $name } gilt nicht mehr. Von nun an kostet das Parken, was es ohne sie kostet.

pass-cancelled =
    .title = Ihre Dauerkarte ist gekündigt
    .body = { $name } gilt bis { $day }.

pass-charged =
    .title = { $amount } bezahlt
    .body = { $name } wurde abgebucht, nachdem sie geendet hatte; das Geld geht zurück.

plate-bound =
    .title = Ein Kennzeichen gehört nun zu Ihrem Konto
    .body = Die Schranken kennen es ab jetzt. Waren Sie das nicht? Lösen Sie es in der App und beenden Sie Ihre anderen Anmeldungen.

plate-taken-off =
    .title = Ein Kennzeichen gehört nicht mehr zu Ihrem Konto
    .body = Nach einer Prüfung ordnen die Schranken es Ihnen nicht mehr zu; was Sie dafür erlaubt hatten, ist beendet.

plate-claim-refused =
    .title = Ein Kennzeichen wurde nicht hinzugefügt
    .body = Unser Personal konnte es nicht bestätigen. { $refusal ->
        [unreadable] Das Bild ist nicht lesbar.
        [other_plate] Es zeigt ein anderes Kennzeichen.
        [name_differs] Der Name darauf ist nicht Ihrer.
        [licence_ended] Der Fahrzeugschein gilt nicht mehr.
       *[other] Bitte fragen Sie unser Personal.
    }

plate-payment-paused =
    .title = Bitte zahlen Sie vorerst von Hand
    .body = Wir prüfen eines Ihrer Kennzeichen. Bis dahin wird dafür nichts automatisch abgebucht; zahlen Sie an der Schranke.

plate-payment-resumed =
    .title = Automatische Zahlung ist wieder an
    .body = Die Prüfung Ihres Kennzeichens ist beendet. Die Schranken rechnen wieder wie zuvor ab.

signed-in =
    .title = Neue Anmeldung bei Ihrem Konto
    .body = „{ $device }“ ist angemeldet, { $at } UTC. Waren Sie das nicht? Beenden Sie in der App diese Anmeldung und alle anderen.

# What an operator's campaign says, in words that were written for it.
campaign =
    .title = { $title }
    .body = { $body }

space-offered =
    .title = Ein Stellplatz für Sie: { $place }
    .body = Ab { $start }. Nehmen Sie ihn bis { $until } in der App an.

reservation-upcoming =
    .title = Ihr Stellplatz ist bereit: { $place }
    .body = Reserviert ab { $start }; er wird bis { $until } für Sie freigehalten. Die Schranke öffnet für Ihr Kennzeichen.

reservation-missed =
    .title = Ihre Reservierung ist beendet
    .body = Ihr Stellplatz ({ $place }) wurde bis { $until } freigehalten und steht nun anderen zur Verfügung.

reservation-overstayed =
    .title = Ihre reservierte Zeit ist vorbei
    .body = Ihr Stellplatz ({ $place }) war bis { $until } reserviert. Der Aufenthalt läuft zum üblichen Preis weiter.

reservation-failed =
    .title = Kein Stellplatz frei: { $place }
    .body = { $found ->
        [yes] Es tut uns leid: Der zugesagte Stellplatz ist belegt. Hier ist jetzt Platz: { $other }.
       *[no] Es tut uns leid: Der zugesagte Stellplatz ist belegt, und kein anderer Ort dieses Betreibers hat Platz.
    }
