"""Which of presidio-analyzer's recognisers are used: numbers that states and insurers give to people.

Each checks a digit. Patterns and words in front of it are ours: its own search through whole texts is slow,
and one number in ten has a right digit by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognizer:
    """One recogniser that can be used."""

    id: str
    """Of the rule in findings."""
    kind: str
    name: str
    """Its class."""
    pattern: str
    """RE2: what a candidate looks like."""
    words: str
    """One of them stands in front of a number, or in the name of its member. Empty: the form says enough."""
    example: str
    """A made-up number that is right. Whether it is accepted is tried before the recogniser is used."""
    counter_example: str
    """The same with a wrong digit."""
    score_min: float = 1.0
    """1: the check digit was right. Lower where a recogniser only ever says that one was wrong."""


RECOGNIZERS: Final = (
    Recognizer(
        id="pl-pesel",
        kind="national-id",
        name="PlPeselRecognizer",
        pattern=r"\b[0-9]{11}\b",
        words=r"pesel",
        example="44051479754",
        counter_example="44051479755",
    ),
    Recognizer(
        id="fi-hetu",
        kind="national-id",
        name="FiPersonalIdentityCodeRecognizer",
        pattern=r"\b[0-3][0-9][01][0-9]{3}[-+ABCDEFYXWVU][0-9]{3}[0-9A-Y]\b",
        words=r"",
        example="131052-859K",
        counter_example="131052-850K",
    ),
    Recognizer(
        id="se-personnummer",
        kind="national-id",
        name="SePersonnummerRecognizer",
        pattern=r"\b(?:[0-9]{2})?[0-9]{6}[-+]?[0-9]{4}\b",
        words=r"personnummer|personal identity number|samordningsnummer|svensk id",
        example="811228-1590",
        counter_example="811228-1591",
    ),
    Recognizer(
        id="kr-rrn",
        kind="national-id",
        name="KrRrnRecognizer",
        pattern=r"\b[0-9]{6}-?[1-4][0-9]{6}\b",
        words=r"rrn|resident registration|주민등록번호|주민번호",
        example="560121-1486205",
        counter_example="560121-1486206",
    ),
    Recognizer(
        id="kr-frn",
        kind="national-id",
        name="KrFrnRecognizer",
        pattern=r"\b[0-9]{6}-?[5-8][0-9]{6}\b",
        words=r"frn|foreigner registration|외국인등록번호",
        example="860121-5058887",
        counter_example="860121-5058888",
    ),
    Recognizer(
        id="es-nif",
        kind="national-id",
        name="EsNifRecognizer",
        pattern=r"\b[0-9]{8}-?[A-Z]\b",
        words=r"dni|nif|identidad|identificaci(?:o|ó)n",
        example="12342402G",
        counter_example="12342403G",
    ),
    Recognizer(
        id="es-nie",
        kind="national-id",
        name="EsNieRecognizer",
        pattern=r"\b[XYZ][0-9]{7}-?[A-Z]\b",
        words=r"nie|extranjero|identidad",
        example="X1230455R",
        counter_example="X1230456R",
    ),
    Recognizer(
        id="th-tnin",
        kind="national-id",
        name="ThTninRecognizer",
        pattern=r"\b[1-9][0-9]{12}\b",
        words=r"tnin|thai (?:national )?id|national id|เลขประจำตัวประชาชน|เลขบัตรประชาชน",
        example="1101700483380",
        counter_example="1101700483381",
    ),
    Recognizer(
        id="tr-national-id",
        kind="national-id",
        name="TrNationalIdRecognizer",
        pattern=r"\b[1-9][0-9]{10}\b",
        words=r"tckn|tc (?:kimlik|no)|kimlik|turkish id",
        example="16116957220",
        counter_example="16116957221",
    ),
    Recognizer(
        id="za-id-number",
        kind="national-id",
        name="ZaIdNumberRecognizer",
        pattern=r"\b[0-9]{10}[0-2][89][0-9]\b",
        words=r"south african id|rsa id|smart id|national id|identity|id (?:number|no)",
        example="8001015372089",
        counter_example="8001015372080",
    ),
    Recognizer(
        id="in-aadhaar",
        kind="national-id",
        name="InAadhaarRecognizer",
        pattern=r"\b[2-9][0-9]{3}[- ]?[0-9]{4}[- ]?[0-9]{4}\b",
        words=r"aadhaar|aadhar|uidai|आधार",
        example="278891486546",
        counter_example="278891486547",
    ),
    Recognizer(
        id="ng-nin",
        kind="national-id",
        name="NgNinRecognizer",
        pattern=r"\b[0-9]{11}\b",
        words=r"nin|nimc|national identi(?:ty|fication)(?: number)?",
        example="15717279584",
        counter_example="15717279585",
    ),
    Recognizer(
        id="ca-sin",
        kind="national-id",
        name="CaSinRecognizer",
        pattern=r"\b[1-9][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{3}\b",
        words=r"sin|social insurance|assurance sociale|nas",
        example="193 257 383",
        counter_example="193 257 384",
        score_min=0.5,
    ),
    Recognizer(
        id="de-id-card",
        kind="national-id",
        name="DeIdCardRecognizer",
        pattern=r"\b[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{7}[0-9]\b",
        words=r"(?:personal)?ausweis(?:nummer|nr)?|ausweisdokument|identity card|id card",
        example="L01X59T48",
        counter_example="L01X59T49",
    ),
    Recognizer(
        id="de-passport",
        kind="passport",
        name="DePassportRecognizer",
        pattern=r"\b[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{7}[0-9]\b",
        words=r"reisepass(?:nummer|nr)?|passnummer|passport",
        example="C01X64T43",
        counter_example="C01X64T44",
    ),
    Recognizer(
        id="it-fiscal-code",
        kind="tax-id",
        name="ItFiscalCodeRecognizer",
        pattern=r"(?i)\b[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]\b",
        words=r"",
        example="RSSMRA80A01H501U",
        counter_example="RSSMRA80A01H502U",
    ),
    Recognizer(
        id="de-tax-id",
        kind="tax-id",
        name="DeTaxIdRecognizer",
        pattern=r"\b[1-9][0-9]{10}\b",
        words=r"steuer-?id(?:entifikationsnummer)?|steuer id|steueridentifikationsnummer|idnr|tax id|tin",
        example="14367006638",
        counter_example="14367006639",
    ),
    Recognizer(
        id="au-tfn",
        kind="tax-id",
        name="AuTfnRecognizer",
        pattern=r"\b[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}\b",
        words=r"tfn|tax file",
        example="165 648 044",
        counter_example="165 648 045",
    ),
    Recognizer(
        id="uk-nhs-number",
        kind="health-id",
        name="NhsRecognizer",
        pattern=r"\b[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}\b",
        words=r"nhs|national health service",
        example="427 681 1732",
        counter_example="427 681 1733",
    ),
    Recognizer(
        id="au-medicare",
        kind="health-id",
        name="AuMedicareRecognizer",
        pattern=r"\b[2-6][0-9]{3} ?[0-9]{5} ?[0-9]\b",
        words=r"medicare",
        example="2060 01131 1",
        counter_example="2060 01132 1",
    ),
    Recognizer(
        id="de-health-insurance",
        kind="health-id",
        name="DeHealthInsuranceRecognizer",
        pattern=r"\b[A-Z][0-9]{9}\b",
        words=r"kvnr|krankenversich\w*|krankenkasse|versichertennummer|gesundheitskarte|egk|health insurance",
        example="A105326100",
        counter_example="A105326101",
    ),
    Recognizer(
        id="de-social-security",
        kind="health-id",
        name="DeSocialSecurityRecognizer",
        pattern=r"\b[0-9]{8}[A-Z][0-9]{3}\b",
        words=r"(?:sozial|renten)versicherung\w*|versicherungsnummer|rvnr|svnr|sv-nummer",
        example="15070640C148",
        counter_example="15070640C149",
    ),
    Recognizer(
        id="us-npi",
        kind="health-id",
        name="UsNpiRecognizer",
        pattern=r"\b[12][0-9]{9}\b|\b[12][0-9]{3}[ -][0-9]{3}[ -][0-9]{3}\b",
        words=r"npi|national provider",
        example="1971755461",
        counter_example="1971755462",
    ),
    Recognizer(
        id="us-dea-number",
        kind="health-id",
        name="MedicalLicenseRecognizer",
        pattern=r"\b[A-Za-z][A-Za-z9][0-9]{7}\b",
        words=r"dea|medical licen[cs]e|prescriber",
        example="BB5762732",
        counter_example="BB5762733",
    ),
)

OWN: Final = frozenset(
    {
        "CreditCardRecognizer",
        "CryptoRecognizer",
        "EmailRecognizer",
        "IbanRecognizer",
        "IpRecognizer",
        "PhoneRecognizer",
        "UsItinRecognizer",
        "UsSsnRecognizer",
        "ZaPhoneNumberRecognizer",
    }
)
"""What `scanners/detectors/personal.py` finds itself: more of it, or faster, or with fewer false alarms."""

NO_PERSON: Final = frozenset(
    {
        "AbaRoutingRecognizer",
        "AuAbnRecognizer",
        "AuAcnRecognizer",
        "DeBsnrRecognizer",
        "DeVatIdRecognizer",
        "InGstinRecognizer",
        "ItVatCodeRecognizer",
        "KrBrnRecognizer",
        "SeOrganisationsnummerRecognizer",
        "SgUenRecognizer",
        "ZaCompanyRegistrationRecognizer",
        "ZaVatNumberRecognizer",
    }
)
