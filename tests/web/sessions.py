"""What a therapist asks at the start of a session: a client at a known place in Orange County."""

BEGUN = {
    "name_confirmed": "yes",
    "present_address": "21 Bark Street, Unit 4, Orange",
    "address_complete": "yes",
    "present_county": "orange",
    "in_california": "yes",
    "callback_number": "714-555-0134",
    "alternate_channel": "phone",
    "others_present": "nobody",
    "privacy_ok": "yes",
    "device_state": "good",
    "telehealth_appropriate": "yes",
    "assessment_channel": "video",
}
